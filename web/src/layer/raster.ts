/**
 * Draws segments into image data, without a GPU: a million in well under a second.
 *
 * Browsers no longer emulate WebGL where there is no GPU, and machine halls have such computers; a
 * worker that draws by itself is as fast there as elsewhere and gives the same pixels.
 */

import type { Camera } from "./camera";
import { RUN, type Segments } from "./vectors";

export interface Target {
  pixels: Uint32Array;
  width: number;
  height: number;
}

/** Whether the run's box is in sight. */
export function inSight(
  boxes: Float32Array,
  run: number,
  camera: Camera,
  width: number,
  height: number,
): boolean {
  const halfX = (width / 2 + 2) * camera.mmPerPx;
  const halfY = (height / 2 + 2) * camera.mmPerPx;
  return !(
    (boxes[run * 4] ?? 0) > camera.x + halfX ||
    (boxes[run * 4 + 2] ?? 0) < camera.x - halfX ||
    (boxes[run * 4 + 1] ?? 0) > camera.y + halfY ||
    (boxes[run * 4 + 3] ?? 0) < camera.y - halfY
  );
}

/** How many segments lie in runs that are in sight. */
export function countInSight(
  segments: Segments,
  camera: Camera,
  width: number,
  height: number,
): number {
  let found = 0;
  for (let run = 0; run * RUN < segments.count; run += 1) {
    if (inSight(segments.boxes, run, camera, width, height)) {
      found += Math.min(RUN, segments.count - run * RUN);
    }
  }
  return found;
}

/**
 * Draw segments, one pixel wide.
 *
 * @param camera With mm per pixel of the target.
 * @param colours A pixel for each geometry.
 * @param hidden Non-zero for each kind that is not shown.
 */
export function rasterise(
  target: Target,
  segments: Segments,
  camera: Camera,
  colours: Uint32Array,
  hidden: Uint8Array,
): void {
  const { pixels, width, height } = target;
  const { ends, geometry, kind, boxes, count } = segments;
  const scale = 1 / camera.mmPerPx;
  const left = width / 2 - camera.x * scale;
  const top = height / 2 + camera.y * scale;
  const xMost = width - 1;
  const yMost = height - 1;
  for (let run = 0; run * RUN < count; run += 1) {
    if (!inSight(boxes, run, camera, width, height)) continue;
    const end = Math.min(count, (run + 1) * RUN);
    for (let s = run * RUN; s < end; s += 1) {
      const g = geometry[s]!;
      if (hidden[kind[g]!]) continue;
      let x0 = left + ends[s * 4]! * scale;
      let y0 = top - ends[s * 4 + 1]! * scale;
      let x1 = left + ends[s * 4 + 2]! * scale;
      let y1 = top - ends[s * 4 + 3]! * scale;
      // Cut to what is in sight (Liang and Barsky, 1984).
      const dx = x1 - x0;
      const dy = y1 - y0;
      let t0 = 0;
      let t1 = 1;
      if (x0 < 0 || x0 > xMost || x1 < 0 || x1 > xMost) {
        if (dx === 0) continue;
        const a = -x0 / dx;
        const b = (xMost - x0) / dx;
        t0 = Math.max(t0, Math.min(a, b));
        t1 = Math.min(t1, Math.max(a, b));
      }
      if (y0 < 0 || y0 > yMost || y1 < 0 || y1 > yMost) {
        if (dy === 0) continue;
        const a = -y0 / dy;
        const b = (yMost - y0) / dy;
        t0 = Math.max(t0, Math.min(a, b));
        t1 = Math.min(t1, Math.max(a, b));
      }
      // Also where an end is no number.
      if (!(t0 <= t1)) continue;
      x1 = x0 + dx * t1;
      y1 = y0 + dy * t1;
      x0 += dx * t0;
      y0 += dy * t0;
      const colour = colours[g]!;
      const steps = Math.ceil(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0)));
      if (steps === 0) {
        pixels[Math.round(y0) * width + Math.round(x0)] = colour;
        continue;
      }
      const stepX = (x1 - x0) / steps;
      const stepY = (y1 - y0) / steps;
      let x = x0 + 0.5;
      let y = y0 + 0.5;
      for (let step = 0; step <= steps; step += 1) {
        pixels[(y | 0) * width + (x | 0)] = colour;
        x += stepX;
        y += stepY;
      }
    }
  }
}

/** The segment nearest to a place, within a distance in mm; -1 if there is none. */
export function nearest(
  segments: Segments,
  hidden: Uint8Array,
  x: number,
  y: number,
  within: number,
): number {
  let found = -1;
  let best = within * within;
  const { ends, boxes, geometry, kind, count } = segments;
  for (let run = 0; run * RUN < count; run += 1) {
    const box = run * 4;
    if (boxes[box]! - within > x || boxes[box + 2]! + within < x) continue;
    if (boxes[box + 1]! - within > y || boxes[box + 3]! + within < y) continue;
    const end = Math.min(count, (run + 1) * RUN);
    for (let s = run * RUN; s < end; s += 1) {
      if (hidden[kind[geometry[s]!]!]) continue;
      const ax = ends[s * 4]!;
      const ay = ends[s * 4 + 1]!;
      const dx = ends[s * 4 + 2]! - ax;
      const dy = ends[s * 4 + 3]! - ay;
      const square = dx * dx + dy * dy;
      const t = square > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
      const offX = ax + dx * t - x;
      const offY = ay + dy * t - y;
      const distance = offX * offX + offY * offY;
      if (distance <= best) {
        best = distance;
        found = s;
      }
    }
  }
  return found;
}
