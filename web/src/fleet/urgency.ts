/** Which machine wants a person first, and how long its build may take. */

import type { Build, Machine } from "../api/types";
import { SEVERITY_RANK } from "../colours";

export type Freshness = "fresh" | "late" | "missing" | "ended";

const LATE_S = 10;
const MISSING_S = 60;

/**
 * When records of a source were last seen to come.
 *
 * Event time alone does not tell: a log that is replayed, or a machine whose clock is wrong, sends
 * old records, and sends them now.
 */
export class Arrivals {
  private readonly seen = new Map<string, { last: number; sinceS: number }>();

  /** How long a source has brought nothing new, as far as this page has seen. */
  quietS(source: string, last: number, nowS: number): number {
    const before = this.seen.get(source);
    if (before?.last !== last) this.seen.set(source, { last, sinceS: nowS });
    return nowS - (before?.last === last ? before.sinceS : nowS);
  }
}

/** One memory for all screens. */
export const arrivals = new Arrivals();

/**
 * How current the data of a source are, while its build is under way.
 *
 * @param source Its id, the event time of its newest record, and the phase of its build.
 */
export function freshness(
  source: { id: string; last_timestamp: number | null; phase: string | null },
  nowS: number,
  memory: Arrivals = arrivals,
): Freshness {
  if (source.phase === null || source.phase === "quiet") return "ended";
  if (source.last_timestamp === null) return "missing";
  const quiet = memory.quietS(source.id, source.last_timestamp, nowS);
  const old = nowS - source.last_timestamp;
  if (old < LATE_S) return "fresh";
  // The pipeline itself waits for this build: nothing has come for long.
  if (source.phase !== "active") return old < MISSING_S ? "late" : "missing";
  return quiet < LATE_S ? "fresh" : quiet < MISSING_S ? "late" : "missing";
}

/** The higher, the sooner somebody should look: silence counts as bad news. */
export function urgency(machine: Machine, nowS: number): number {
  const fresh = freshness({ id: machine.machine_id, ...machine }, nowS);
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
