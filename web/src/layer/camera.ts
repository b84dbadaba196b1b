/** Which part of the build plate is seen: centre in mm and mm per pixel; y points up. */

export interface Camera {
  x: number;
  y: number;
  /** mm per (CSS) pixel. */
  mmPerPx: number;
}

export type Bounds = readonly [number, number, number, number];

const LEAST_MM_PER_PX = 0.0005;
const MOST_MM_PER_PX = 20;

const clamp = (value: number): number => Math.min(MOST_MM_PER_PX, Math.max(LEAST_MM_PER_PX, value));

/** All of the bounds, with a margin. */
export function fit(bounds: Bounds, width: number, height: number, margin = 0.06): Camera {
  const [xMin, yMin, xMax, yMax] = bounds;
  const room = 1 - 2 * margin;
  const mmPerPx = Math.max((xMax - xMin) / (width * room), (yMax - yMin) / (height * room));
  return { x: (xMin + xMax) / 2, y: (yMin + yMax) / 2, mmPerPx: clamp(mmPerPx || 0.1) };
}

/** Moved by pixels of the screen, as the content follows a hand. */
export function pan(camera: Camera, dx: number, dy: number): Camera {
  return { ...camera, x: camera.x - dx * camera.mmPerPx, y: camera.y + dy * camera.mmPerPx };
}

/** Nearer (factor below 1) or further, around a point of the screen, which stays where it is. */
export function zoom(
  camera: Camera,
  factor: number,
  px: number,
  py: number,
  width: number,
  height: number,
): Camera {
  const mmPerPx = clamp(camera.mmPerPx * factor);
  const change = camera.mmPerPx - mmPerPx;
  return {
    x: camera.x + (px - width / 2) * change,
    y: camera.y - (py - height / 2) * change,
    mmPerPx,
  };
}

export function toMm(camera: Camera, px: number, py: number, width: number, height: number) {
  return {
    x: camera.x + (px - width / 2) * camera.mmPerPx,
    y: camera.y - (py - height / 2) * camera.mmPerPx,
  };
}

export function toPx(camera: Camera, x: number, y: number, width: number, height: number) {
  return {
    x: width / 2 + (x - camera.x) / camera.mmPerPx,
    y: height / 2 - (y - camera.y) / camera.mmPerPx,
  };
}

/** As text of an address, and back; null if the text is none. */
export const cameraText = (camera: Camera): string =>
  `${camera.x.toFixed(3)},${camera.y.toFixed(3)},${camera.mmPerPx.toPrecision(4)}`;

export function parseCamera(text: string | undefined): Camera | null {
  const [x, y, mmPerPx, ...more] = (text ?? "").split(",").map(Number);
  if (more.length > 0 || x === undefined || y === undefined || mmPerPx === undefined) return null;
  if (![x, y, mmPerPx].every(Number.isFinite) || mmPerPx <= 0) return null;
  return { x, y, mmPerPx: clamp(mmPerPx) };
}
