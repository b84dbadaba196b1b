/** The binary form of vectors, packed as the API does. */

export interface Geometry {
  kind: number;
  points: [number, number][];
  closed?: boolean;
  powerW?: number;
  /** A wrong number of points. */
  count?: number;
}

export function packed(geometries: Geometry[]): ArrayBuffer {
  const points = geometries.flatMap((geometry) => geometry.points);
  let next = 0;
  const first = geometries.map((geometry) => {
    const at = next;
    next += geometry.points.length;
    return at;
  });
  const each = <T>(value: (geometry: Geometry, index: number) => T): T[] => geometries.map(value);
  const columns = {
    x_mm: Float32Array.from(points, ([x]) => x),
    y_mm: Float32Array.from(points, ([, y]) => y),
    kind: Int8Array.from(each((one) => one.kind)),
    closed: Int8Array.from(each((one) => (one.closed ? 1 : 0))),
    first: Uint32Array.from(first),
    count: Uint32Array.from(each((one) => one.count ?? one.points.length)),
    model_id: Int32Array.from(each(() => 1)),
    build_style_id: Int32Array.from(each(() => 1)),
    laser_id: Int32Array.from(each((_, index) => index % 2)),
    laser_power_w: Float32Array.from(each((one) => one.powerW ?? Number.NaN)),
    speed_mm_s: Float32Array.from(each(() => Number.NaN)),
  };
  const types = new Map<unknown, string>([
    [Float32Array, "float32"], [Int8Array, "int8"], [Uint32Array, "uint32"], [Int32Array, "int32"],
  ]);
  const arrays: Record<string, { type: string; offset: number; length: number }> = {};
  let size = 0;
  for (const [name, values] of Object.entries(columns)) {
    arrays[name] = { type: types.get(values.constructor) ?? "", offset: size, length: values.length };
    size += Math.ceil(values.byteLength / 8) * 8;
  }
  const header = JSON.stringify({ kinds: ["hatch", "contour", "points", "jump"], styles: [], arrays });
  const text = new TextEncoder().encode(header.padEnd(Math.ceil(header.length / 8) * 8));
  const whole = new Uint8Array(8 + text.length + size);
  whole.set(new TextEncoder().encode("PBFV"));
  new DataView(whole.buffer).setUint32(4, text.length, true);
  whole.set(text, 8);
  for (const [name, values] of Object.entries(columns)) {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    whole.set(bytes, 8 + text.length + (arrays[name]?.offset ?? 0));
  }
  return whole.buffer;
}
