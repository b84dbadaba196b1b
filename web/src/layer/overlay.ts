/** Axes in mm and a scale bar, over the vectors. */

import { niceStep, stepDigits, ticks } from "../scales";
import type { Camera } from "./camera";
import { toPx } from "./camera";

export interface Ink {
  line: string;
  text: string;
  ground: string;
}

/** Lines of the grid, beneath the vectors. */
export function drawGrid(
  context: CanvasRenderingContext2D,
  camera: Camera,
  width: number,
  height: number,
  ink: Ink,
): void {
  const halfX = (width / 2) * camera.mmPerPx;
  const halfY = (height / 2) * camera.mmPerPx;
  context.strokeStyle = ink.line;
  context.lineWidth = 1;
  context.beginPath();
  for (const x of ticks(camera.x - halfX, camera.x + halfX, width / 110)) {
    const at = Math.round(toPx(camera, x, 0, width, height).x) + 0.5;
    context.moveTo(at, 0);
    context.lineTo(at, height);
  }
  for (const y of ticks(camera.y - halfY, camera.y + halfY, width / 110)) {
    const at = Math.round(toPx(camera, 0, y, width, height).y) + 0.5;
    context.moveTo(0, at);
    context.lineTo(width, at);
  }
  context.stroke();
}

/** Numbers of the axes and the scale bar, above the vectors. */
export function drawAxes(
  context: CanvasRenderingContext2D,
  camera: Camera,
  width: number,
  height: number,
  ink: Ink,
): void {
  const halfX = (width / 2) * camera.mmPerPx;
  const halfY = (height / 2) * camera.mmPerPx;
  const step = niceStep(2 * halfX, width / 110);
  const digits = stepDigits(step);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "alphabetic";
  const write = (text: string, x: number, y: number, align: CanvasTextAlign): void => {
    context.textAlign = align;
    context.lineWidth = 3;
    context.strokeStyle = ink.ground;
    context.strokeText(text, x, y);
    context.fillStyle = ink.text;
    context.fillText(text, x, y);
  };
  const label = (value: number): string => value.toFixed(digits).replace("-", "−");
  for (const x of ticks(camera.x - halfX, camera.x + halfX, width / 110)) {
    const at = toPx(camera, x, 0, width, height).x;
    if (at > 34 && at < width - 96) write(label(x), at, height - 6, "center");
  }
  for (const y of ticks(camera.y - halfY, camera.y + halfY, width / 110)) {
    const at = toPx(camera, 0, y, width, height).y;
    if (at > 14 && at < height - 22) write(label(y), 6, at + 4, "left");
  }
  const wide = niceStep(120 * camera.mmPerPx, 1.6);
  const px = wide / camera.mmPerPx;
  const right = width - 14;
  context.strokeStyle = ink.text;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(right - px, height - 24);
  context.lineTo(right - px, height - 20);
  context.lineTo(right, height - 20);
  context.lineTo(right, height - 24);
  context.stroke();
  const text = wide < 0.1 ? `${(wide * 1000).toFixed(0)} µm` : `${wide.toFixed(stepDigits(wide))} mm`;
  write(text, right, height - 6, "right");
}
