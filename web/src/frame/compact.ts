/** Large numbers in few characters. */

import { NOTHING } from "../format";

const STEPS: [number, string][] = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** `950`, `8.1k`, `12M`. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  for (const [step, sign] of STEPS) {
    if (Math.abs(value) >= step * 0.9995) {
      const share = value / step;
      return `${share.toFixed(Math.abs(share) < 9.95 ? 1 : 0)}${sign}`;
    }
  }
  return value.toFixed(0);
}
