/** Scan vectors of a layer: the compact binary form of the API, unpacked into segments. */

export const VECTORS_TYPE = "application/vnd.pbf-ray.vectors";

export interface Style {
  model_id: number | null;
  build_style_id: number | null;
  laser_id: number | null;
  name?: string | null;
  laser_power_w: number | null;
  speed_mm_s: number | null;
}

interface Place {
  type: string;
  offset: number;
  length: number;
}

export interface Header {
  build_id: string;
  layer: number;
  z_mm: number | null;
  bounds_mm: [number, number, number, number] | null;
  kinds: string[];
  geometries: number;
  points: number;
  styles: Style[];
  arrays: Record<string, Place>;
}

/** Segments are drawn and searched in runs of so many, each with its bounding box. */
export const RUN = 4096;

export interface Segments {
  header: Header;
  count: number;
  /** x0, y0, x1, y1 in mm, one after the other; a point is a segment without length. */
  ends: Float32Array;
  /** The geometry of each segment. */
  geometry: Uint32Array;
  /** x min, y min, x max, y max of each run. */
  boxes: Float32Array;
  kind: Int8Array;
  model: Int32Array;
  style: Int32Array;
  laser: Int32Array;
  powerW: Float32Array;
  speedMmS: Float32Array;
}

const TYPES = { float32: Float32Array, int8: Int8Array, uint32: Uint32Array, int32: Int32Array };
type TypeName = keyof typeof TYPES;

/**
 * Unpack the binary form.
 *
 * @throws Error if the bytes are not what the header says.
 */
export function decodeVectors(buffer: ArrayBuffer): Segments {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, false) !== 0x50424656) {
    throw new Error("these are no vectors: the first four bytes are not PBFV");
  }
  const length = view.getUint32(4, true);
  if (8 + length > buffer.byteLength) throw new Error("the header of the vectors is cut off");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))) as Header;

  function column<T extends TypeName>(name: string, type: T): InstanceType<(typeof TYPES)[T]> {
    const place = header.arrays[name];
    if (!place || place.type !== type) throw new Error(`the vectors have no ${type} '${name}'`);
    const start = 8 + length + place.offset;
    const Kind = TYPES[type];
    if (start + place.length * Kind.BYTES_PER_ELEMENT > buffer.byteLength) {
      throw new Error(`'${name}' of the vectors is cut off`);
    }
    return new Kind(buffer, start, place.length) as InstanceType<(typeof TYPES)[T]>;
  }

  const x = column("x_mm", "float32");
  const y = column("y_mm", "float32");
  const kind = column("kind", "int8");
  const closed = column("closed", "int8");
  const first = column("first", "uint32");
  const counts = column("count", "uint32");
  const whole = segmentsOf(header.kinds, x, y, kind, closed, first, counts);
  return {
    header,
    ...whole,
    boxes: boxesOf(whole.ends, whole.count),
    kind,
    model: column("model_id", "int32"),
    style: column("build_style_id", "int32"),
    laser: column("laser_id", "int32"),
    powerW: column("laser_power_w", "float32"),
    speedMmS: column("speed_mm_s", "float32"),
  };
}

function segmentsOf(
  kinds: string[],
  x: Float32Array,
  y: Float32Array,
  kind: Int8Array,
  closed: Int8Array,
  first: Uint32Array,
  counts: Uint32Array,
): { count: number; ends: Float32Array; geometry: Uint32Array } {
  const hatch = kinds.indexOf("hatch");
  const points = kinds.indexOf("points");
  let most = 0;
  for (let g = 0; g < kind.length; g += 1) {
    const n = counts[g] ?? 0;
    if ((first[g] ?? 0) + n > x.length) throw new Error(`geometry ${g} has points that are not there`);
    most += kind[g] === hatch ? n >> 1 : kind[g] === points ? n : n + (closed[g] ? 1 : 0);
  }
  const ends = new Float32Array(most * 4);
  const geometry = new Uint32Array(most);
  let at = 0;
  const put = (g: number, a: number, b: number): void => {
    ends[at * 4] = x[a] ?? NaN;
    ends[at * 4 + 1] = y[a] ?? NaN;
    ends[at * 4 + 2] = x[b] ?? NaN;
    ends[at * 4 + 3] = y[b] ?? NaN;
    geometry[at] = g;
    at += 1;
  };
  for (let g = 0; g < kind.length; g += 1) {
    const start = first[g] ?? 0;
    const end = start + (counts[g] ?? 0);
    if (kind[g] === hatch) {
      for (let p = start; p + 1 < end; p += 2) put(g, p, p + 1);
    } else if (kind[g] === points) {
      for (let p = start; p < end; p += 1) put(g, p, p);
    } else {
      for (let p = start; p + 1 < end; p += 1) put(g, p, p + 1);
      const last = end - 1;
      const open = end - start > 2 && (x[last] !== x[start] || y[last] !== y[start]);
      if (closed[g] && open) put(g, last, start);
    }
  }
  return { count: at, ends: ends.subarray(0, at * 4), geometry: geometry.subarray(0, at) };
}

function boxesOf(ends: Float32Array, count: number): Float32Array {
  const runs = Math.ceil(count / RUN);
  const boxes = new Float32Array(runs * 4);
  for (let run = 0; run < runs; run += 1) {
    let xMin = Infinity;
    let yMin = Infinity;
    let xMax = -Infinity;
    let yMax = -Infinity;
    const end = Math.min(count, (run + 1) * RUN) * 4;
    for (let at = run * RUN * 4; at < end; at += 2) {
      const x = ends[at] ?? 0;
      const y = ends[at + 1] ?? 0;
      if (x < xMin) xMin = x;
      if (x > xMax) xMax = x;
      if (y < yMin) yMin = y;
      if (y > yMax) yMax = y;
    }
    boxes.set([xMin, yMin, xMax, yMax], run * 4);
  }
  return boxes;
}
