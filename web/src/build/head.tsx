/** The head of all screens of one build: what it is, how it is, and where to go on. */

import type { Build } from "../api/types";
import { age, count, fixed } from "../format";
import { SeverityCounts } from "../parts/severity";
import { nowS } from "../state/now";
import { href } from "../state/router";

const PHASES: Record<string, string> = {
  active: "running",
  silent: "silent",
  settled: "settled",
  quiet: "all layers closed",
};

export const phaseText = (phase: string | null): string => (phase ? (PHASES[phase] ?? phase) : "ended");

interface Props {
  build: Build;
  current: "build" | "decisions";
}

export function BuildHead({ build, current }: Props) {
  const at = { build: build.build_id };
  return (
    <header class="build-head">
      <h2 class="title">{build.build_id}</h2>
      <span class={`tag phase ${build.phase ?? "ended"}`}>{phaseText(build.phase)}</span>
      {build.disposition && (
        <span class={`tag disposition ${build.disposition.disposition}`}>{build.disposition.disposition}</span>
      )}
      <span class="muted">{build.machine_ids.join(", ")}</span>
      <span class="muted num">last record {age(build.last_timestamp, nowS.value)}</span>
      <span class="muted num">
        quality mean {fixed(build.quality_score_mean, 3)}, worst {fixed(build.quality_score_min, 3)}
      </span>
      <SeverityCounts counts={build.anomalies_by_severity} none="no anomalies" />
      <span class="grow" />
      <nav class="segments" aria-label="Of this build">
        <a href={href("build", at)} aria-current={current === "build" ? "page" : undefined}>
          Layers
        </a>
        <a href={href("anomalies", at)}>Anomalies</a>
        <a href={href("alerts", { ...at, state: "all" })}>
          Alerts
          {build.open_alerts.critical + build.open_alerts.warning > 0 && (
            <span class="unseen">
              , {count(build.open_alerts.critical, "critical", "critical")} open
            </span>
          )}
        </a>
        <a href={href("decisions", at)} aria-current={current === "decisions" ? "page" : undefined}>
          Decisions
        </a>
      </nav>
    </header>
  );
}
