/** Beneath the layer view: what the colours mean, which kinds are shown, what lies under the mouse. */

import { css, viridis } from "../colours";
import { fixed, quantity, words } from "../format";
import type { Legend } from "./colouring";
import type { LayerFacts, Picked } from "./messages";

interface LegendProps {
  legend: Legend | null;
  facts: LayerFacts | null;
  hidden: string[];
  picked: Picked | null;
  isDark: boolean;
  onHide: (names: string[]) => void;
}

export function Legends({ legend, facts, hidden, picked, isDark, onHide }: LegendProps) {
  const toggle = (name: string): void =>
    onHide(hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name]);
  const colourOf = (name: string): string | undefined => {
    const entry = legend?.entries.find((one) => one.label === name);
    return entry ? css(entry.colour) : undefined;
  };
  const lasers = legend?.entries.filter((entry) => entry.label.startsWith("laser")) ?? [];
  return (
    <footer class="legend">
      {facts?.kinds
        .filter((kind) => kind.segments > 0)
        .map((kind) => (
          <label key={kind.name} class="inline">
            <input type="checkbox" checked={!hidden.includes(kind.name)} onChange={() => toggle(kind.name)} />
            {colourOf(kind.name) && <i class="swatch" style={{ background: colourOf(kind.name) }} />}
            {kind.name} <span class="muted num">{fixed(kind.segments)}</span>
          </label>
        ))}
      {lasers.map((entry) => (
        <span key={entry.label}>
          <i class="swatch" style={{ background: css(entry.colour) }} />
          {entry.label}
        </span>
      ))}
      {legend?.scale && <ScaleBar scale={legend.scale} isDark={isDark} />}
      {legend?.note && <span class="muted">{legend.note}</span>}
      <span class="grow" />
      <span class="picked num">
        {picked
          ? [
              words(picked.kind),
              quantity(picked.length_mm, "mm", 2),
              picked.laser_power_w === null ? null : quantity(picked.laser_power_w, "W", 0),
              picked.speed_mm_s === null ? null : quantity(picked.speed_mm_s, "mm/s", 0),
              picked.laser_id === null ? null : `laser ${picked.laser_id}`,
              picked.style,
            ]
              .filter(Boolean)
              .join(" · ")
          : ""}
      </span>
    </footer>
  );
}

function ScaleBar({ scale, isDark }: { scale: NonNullable<Legend["scale"]>; isDark: boolean }) {
  const stops = Array.from({ length: 9 }, (_, index) => css(viridis(index / 8, isDark))).join(", ");
  const digits = scale.high - scale.low < 10 ? 1 : 0;
  return (
    <span class="scale num">
      {fixed(scale.low, digits)}
      <i style={{ background: `linear-gradient(90deg, ${stops})` }} />
      {quantity(scale.high, scale.unit, digits)}
    </span>
  );
}
