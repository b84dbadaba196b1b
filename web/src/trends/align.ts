/** Series of different clocks on one axis. */

import type { Series } from "../api/types";

export interface Line {
  x: number[];
  y: (number | null)[];
}

/** Seconds since an instant. */
export function since(series: Series | undefined, startS: number | null): Line {
  if (!series || startS === null) return { x: [], y: [] };
  return { x: series.timestamp.map((timestamp) => timestamp - startS), y: series.value };
}

/** The earliest instant of several series. */
export function startOf(series: readonly Series[]): number | null {
  let start: number | null = null;
  for (const one of series) {
    const first = one.timestamp[0];
    if (first !== undefined && (start === null || first < start)) start = first;
  }
  return start;
}

/** When the rows of a layer begin and end in a series of the whole build; null if it has none. */
export function spanOfLayer(series: Series | undefined, layer: number): [number, number] | null {
  if (!series) return null;
  let low = Infinity;
  let high = -Infinity;
  for (let row = 0; row < series.layer.length; row += 1) {
    if (series.layer[row] !== layer) continue;
    const at = series.timestamp[row] ?? NaN;
    if (at < low) low = at;
    if (at > high) high = at;
  }
  return low <= high ? [low, high] : null;
}

/** The row whose x is nearest; -1 where there is none. */
export function nearestRow(x: readonly number[], at: number): number {
  let low = 0;
  let high = x.length - 1;
  if (high < 0) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((x[middle] ?? 0) < at) low = middle;
    else high = middle;
  }
  return Math.abs((x[low] ?? 0) - at) <= Math.abs((x[high] ?? 0) - at) ? low : high;
}
