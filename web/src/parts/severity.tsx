/** Severities: a shape and a word as well as a colour. */

import type { BySeverity } from "../api/types";

const SHAPES: Record<string, string> = { critical: "◆", warning: "▲", info: "●", none: "○" };

export function Severity({ of, word = true }: { of: string; word?: boolean }) {
  return (
    <span class={`severity ${of}`} title={of}>
      <i aria-hidden="true">{SHAPES[of] ?? "○"}</i>
      {word ? (of === "none" ? "clear" : of) : <span class="unseen">{of}</span>}
    </span>
  );
}

/** Counts by severity, worst first; nothing for zeros. */
export function SeverityCounts({ counts, none }: { counts: BySeverity; none: string }) {
  const names = (["critical", "warning", "info"] as const).filter((name) => counts[name] > 0);
  if (names.length === 0) return <span class="muted">{none}</span>;
  return (
    <span class="severity-counts">
      {names.map((name) => (
        <span key={name} class={`severity ${name}`}>
          <i aria-hidden="true">{SHAPES[name]}</i>
          <b class="num">{counts[name]}</b>
          <span class="unseen"> {name}</span>
        </span>
      ))}
    </span>
  );
}
