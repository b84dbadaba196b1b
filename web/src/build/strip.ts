/** The strip of all layers: rows of heat, one column per pixel, the worst of what falls into it. */

import { css, severityColour, viridis, worse } from "../colours";
import { robustExtent } from "../scales";
import type { LayerTable } from "./layertable";

export interface StripRow {
  name: string;
  kind: "severity" | "amount";
  height: number;
}

export const STRIP_ROWS: readonly StripRow[] = [
  { name: "severity", kind: "severity", height: 20 },
  { name: "quality_score", kind: "amount", height: 9 },
  { name: "temperature_avg", kind: "amount", height: 9 },
  { name: "pressure_avg", kind: "amount", height: 9 },
  { name: "laser_power_avg", kind: "amount", height: 9 },
  { name: "scan_speed_avg", kind: "amount", height: 9 },
];
export const ROW_GAP = 2;

export const stripHeight = (rows: readonly StripRow[]): number =>
  rows.reduce((sum, row) => sum + row.height + ROW_GAP, 0) - ROW_GAP;

/** First and last layer of the strip: as planned, as far as that is known. */
export function stripRange(table: LayerTable, planned: number | null): [number, number] {
  const first = Math.min(table.first ?? 0, 0);
  return [first, Math.max(table.last ?? 0, (planned ?? 0) - 1, first)];
}

/** The layer under a place of the strip. */
export function layerAt(px: number, width: number, range: [number, number]): number {
  const count = range[1] - range[0] + 1;
  return range[0] + Math.min(count - 1, Math.max(0, Math.floor((px / width) * count)));
}

/** Where a layer begins in the strip, and how wide it is. */
export function placeOf(layer: number, width: number, range: [number, number]): [number, number] {
  const each = width / (range[1] - range[0] + 1);
  return [(layer - range[0]) * each, each];
}

/** Draw the strip in CSS pixels; the context is scaled for the screen. */
export function drawStrip(
  context: CanvasRenderingContext2D,
  table: LayerTable,
  rows: readonly StripRow[],
  range: [number, number],
  width: number,
  dark: boolean,
): void {
  const layers = table.layers;
  const states = table.texts("state");
  const each = width / (range[1] - range[0] + 1);
  const gap = each >= 6 ? 1 : 0;
  let top = 0;
  context.clearRect(0, 0, width, stripHeight(rows));
  for (const row of rows) {
    context.fillStyle = dark ? "#1f2429" : "#eceff1";
    context.fillRect(0, top, width, row.height);
    const severities = row.kind === "severity" ? table.texts(row.name) : [];
    const values = row.kind === "amount" ? table.numbers(row.name) : [];
    const found = row.kind === "amount" ? robustExtent(values) : null;
    const [low, high] = row.name === "quality_score" ? [found?.[0] ?? 0, 1] : (found ?? [0, 1]);
    let index = 0;
    while (index < layers.length) {
      const x = ((layers[index] ?? 0) - range[0]) * each;
      // Layers that share a pixel are drawn once, as the worst of them.
      const pixelEnd = Math.max(x + each, Math.floor(x) + 1);
      let severity = "none";
      let amount: number | null = null;
      let open = false;
      for (; index < layers.length; index += 1) {
        if (((layers[index] ?? 0) - range[0]) * each >= pixelEnd - 1e-6) break;
        severity = worse(severity, severities[index] ?? "none");
        const value = values[index] ?? null;
        if (value !== null) {
          if (amount === null) amount = value;
          else amount = row.name === "quality_score" ? Math.min(amount, value) : (amount + value) / 2;
        }
        open ||= states[index] === "open";
      }
      if (row.kind === "severity") {
        context.fillStyle = css(severityColour(severity, dark));
      } else if (amount === null) {
        continue;
      } else {
        context.fillStyle = css(viridis(high > low ? (amount - low) / (high - low) : 0.5, dark));
      }
      const wide = Math.max(1, pixelEnd - x - gap);
      context.globalAlpha = open ? 0.55 : 1;
      if (row.kind === "severity" && severity === "none") {
        context.fillRect(x, top + row.height - 6, wide, 6);
      } else if (row.kind === "severity") {
        // Height says it as well as colour.
        const share = severity === "critical" ? 1 : severity === "warning" ? 0.75 : 0.5;
        context.fillRect(x, top + row.height * (1 - share), wide, row.height * share);
      } else {
        context.fillRect(x, top, wide, row.height);
      }
    }
    context.globalAlpha = 1;
    top += row.height + ROW_GAP;
  }
}
