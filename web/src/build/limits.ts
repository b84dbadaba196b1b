/** Limits of a channel against the lowest and highest of a layer. */

import type { Rule } from "../api/types";

/** Whether a layer's lowest and highest keep a limit; null where that is not known. */
export function keeps(rule: Rule, low: number | null, high: number | null): boolean | null {
  const above = rule.op.startsWith(">");
  const value = above ? high : low;
  if (value === null) return null;
  if (rule.op === ">") return value <= rule.threshold;
  if (rule.op === ">=") return value < rule.threshold;
  if (rule.op === "<") return value >= rule.threshold;
  if (rule.op === "<=") return value > rule.threshold;
  return null;
}
