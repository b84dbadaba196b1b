/** Which machine wants a person first, and how long its build may take. */

import type { Build, Machine } from "../api/types";
import { SEVERITY_RANK } from "../colours";

export type Freshness = "fresh" | "late" | "missing" | "ended";

const LATE_S = 10;
const MISSING_S = 60;

/** How current the data of a source are, while its build is under way. */
export function freshness(
  source: { last_timestamp: number | null; phase?: string | null },
  nowS: number,
): Freshness {
  if (source.phase === null || source.phase === "quiet") return "ended";
  if (source.last_timestamp === null) return "missing";
  const old = nowS - source.last_timestamp;
  return old < LATE_S ? "fresh" : old < MISSING_S ? "late" : "missing";
}

/** The higher, the sooner somebody should look: silence counts as bad news. */
export function urgency(machine: Machine, nowS: number): number {
  const fresh = freshness(machine, nowS);
  const open = machine.open_alerts;
  return (
    (open.critical > 0 ? 1000 : 0) +
    (fresh === "missing" ? 500 : fresh === "late" ? 50 : 0) +
    SEVERITY_RANK[machine.severity] * 100 +
    (open.warning > 0 ? 20 : 0) +
    (open.info > 0 ? 5 : 0) +
    (fresh === "ended" ? -400 : 0)
  );
}

/** What the layers still to come take, if they take as long as those so far; null: not known. */
export function remainingS(machine: Machine, build: Build | null): number | null {
  if (!build || machine.planned_layers === null || machine.layer === null) return null;
  if (build.first_timestamp === null || build.last_timestamp === null) return null;
  if (machine.phase !== "active" && machine.phase !== "silent") return null;
  const done = machine.layer - (build.first_layer ?? 0) + 1;
  const left = machine.planned_layers - machine.layer - 1;
  if (done < 2 || left < 0) return null;
  return ((build.last_timestamp - build.first_timestamp) / done) * left;
}
