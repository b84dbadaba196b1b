/** What a layer is compared with: the layer before, or the same layer of another build. */

import type { LayerRef } from "../layer/view";

export type Comparison = { kind: "none" } | { kind: "before" } | { kind: "build"; build: string };

/** From the address: `before`, or `build:ID`. */
export function parseComparison(text: string | undefined): Comparison {
  if (text === "before") return { kind: "before" };
  if (text?.startsWith("build:") && text.length > 6) return { kind: "build", build: text.slice(6) };
  return { kind: "none" };
}

export function comparisonText(comparison: Comparison): string | null {
  if (comparison.kind === "build") return `build:${comparison.build}`;
  return comparison.kind === "none" ? null : comparison.kind;
}

/** The layer that a comparison stands for; null where there is none. */
export function comparedLayer(comparison: Comparison, build: string, layer: number, first: number): LayerRef | null {
  if (comparison.kind === "before") return layer > first ? { build, layer: layer - 1 } : null;
  return comparison.kind === "build" ? { build: comparison.build, layer } : null;
}
