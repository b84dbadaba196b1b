/** By what the vectors of a layer are coloured, and the legend that says so. */

import { kindColour, pixel, viridis, type Rgb } from "../colours";
import { extent } from "../scales";
import type { Segments } from "./vectors";

export const COLOUR_MODES = ["kind", "power", "speed", "laser", "quality"] as const;
export type ColourMode = (typeof COLOUR_MODES)[number];

export interface Legend {
  /** Kinds or lasers, each with its colour and how many geometries it has. */
  entries: { label: string; colour: Rgb; geometries: number }[];
  /** An amount from low to high, as viridis. */
  scale: { low: number; high: number; unit: string } | null;
  note: string;
}

export interface Colouring {
  /** A pixel for each geometry. */
  pixels: Uint32Array;
  legend: Legend;
}

const UNKNOWN_LIGHT: Rgb = [150, 156, 162];
const UNKNOWN_DARK: Rgb = [104, 112, 120];

/**
 * Colours of all geometries of a layer.
 *
 * @param quality Quality of the whole layer in 0..1: records have no position in it.
 */
export function colouring(
  segments: Segments,
  mode: ColourMode,
  quality: number | null,
  dark: boolean,
): Colouring {
  const unknown = dark ? UNKNOWN_DARK : UNKNOWN_LIGHT;
  if (mode === "kind") {
    return byName(segments.kind, (kind) => segments.header.kinds[kind] ?? "unknown", (kind) => kind, dark);
  }
  if (mode === "laser") {
    const ids = [...new Set(segments.laser)].toSorted((a, b) => a - b);
    const name = (id: number): string => (id < 0 ? "laser not named" : `laser ${id}`);
    return byName(segments.laser, name, (id) => ids.indexOf(id), dark);
  }
  const pixels = new Uint32Array(segments.kind.length);
  if (mode === "quality") {
    pixels.fill(pixel(quality === null ? unknown : viridis(quality, dark)));
    const note = quality === null ? "not known for this layer" : "one value for the whole layer";
    return { pixels, legend: { entries: [], scale: { low: 0, high: 1, unit: "" }, note } };
  }
  const values = mode === "power" ? segments.powerW : segments.speedMmS;
  const unit = mode === "power" ? "W" : "mm/s";
  const found = extent(values);
  if (found === null) {
    pixels.fill(pixel(unknown));
    return { pixels, legend: { entries: [], scale: null, note: `the file does not tell the ${mode}` } };
  }
  const [low, high] = found;
  const same = `${Math.round(low * 10) / 10} ${unit} everywhere it is told`;
  const steps = Array.from({ length: 256 }, (_, step) => pixel(viridis(step / 255, dark)));
  const none = pixel(unknown);
  for (let g = 0; g < pixels.length; g += 1) {
    const value = values[g] ?? NaN;
    const share = high > low ? (value - low) / (high - low) : 0.6;
    pixels[g] = Number.isFinite(value) ? (steps[Math.round(share * 255)] ?? none) : none;
  }
  if (high === low) return { pixels, legend: { entries: [], scale: null, note: same } };
  return { pixels, legend: { entries: [], scale: { low, high, unit }, note: "" } };
}

function byName(
  ids: Int8Array | Int32Array,
  name: (id: number) => string,
  index: (id: number) => number,
  dark: boolean,
): Colouring {
  const counts = new Map<number, number>();
  const colours = new Map<number, number>();
  const pixels = new Uint32Array(ids.length);
  for (let g = 0; g < ids.length; g += 1) {
    const id = ids[g] ?? -1;
    let colour = colours.get(id);
    if (colour === undefined) {
      colour = pixel(kindColour(Math.max(0, index(id)), dark));
      colours.set(id, colour);
    }
    pixels[g] = colour;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const entries = [...counts.entries()]
    .toSorted(([a], [b]) => a - b)
    .map(([id, geometries]) => ({
      label: name(id),
      colour: kindColour(Math.max(0, index(id)), dark),
      geometries,
    }));
  return { pixels, legend: { entries, scale: null, note: "" } };
}
