/** Sensor trends with one cursor and one axis of time: of a layer, or of the whole build. */

import { useMemo, useRef } from "preact/hooks";
import type { Anomaly, Page, SeriesAnswer } from "../api/types";
import { withQuery } from "../api/client";
import { CHANNELS } from "../channels";
import type { LayerRef } from "../layer/view";
import { clock, fixed } from "../format";
import { useSize } from "../parts/canvas";
import { Empty, Trouble } from "../parts/states";
import { ruleOfType } from "../state/about";
import { resultsRevision } from "../state/live";
import { nowS } from "../state/now";
import { useResource } from "../state/resource";
import { since, spanOfLayer, startOf } from "./align";
import { Chart } from "./chart";

interface Props {
  shown: LayerRef;
  compared: LayerRef | null;
  /** What the comparison is called. */
  comparedName: string;
  span: "layer" | "build";
  onSpan: (span: "layer" | "build") => void;
  onLayer: (layer: number) => void;
}

function seriesPath(at: LayerRef | null, span: "layer" | "build", points: number): string | null {
  if (at === null || points === 0) return null;
  const range = span === "layer" ? { first_layer: at.layer, last_layer: at.layer } : {};
  return withQuery("/series", { fields: CHANNELS.join(","), build: at.build, ...range, points });
}

export function Trends({ shown, compared, comparedName, span, onSpan, onLayer }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const size = useSize(place);
  // As many points as pixels, in steps, so that a small change of the window asks for nothing.
  const points = size ? Math.min(2000, Math.max(200, Math.ceil(size.width / 200) * 200)) : 0;
  const own = useResource<SeriesAnswer>(seriesPath(shown, span, points), [resultsRevision], true);
  // In the span of the build only another build is another line.
  const other = span === "build" && compared?.build === shown.build ? null : compared;
  const then = useResource<SeriesAnswer>(seriesPath(other, span, points), []);
  const flagged = useResource<Page<Anomaly>>(
    withQuery("/anomalies", {
      build: shown.build,
      ...(span === "layer" ? { first_layer: shown.layer, last_layer: shown.layer } : {}),
      limit: 1000,
    }),
    [resultsRevision],
    true,
  );

  const series = own.data?.series ?? [];
  const start = startOf(series);
  const lines = useMemo(() => series.map((one) => since(one, start)), [own.data]);
  const otherLines = useMemo(() => {
    const told = then.data?.series ?? [];
    const otherStart = startOf(told);
    return new Map(told.map((one) => [one.field, since(one, otherStart)]));
  }, [then.data]);
  const inSeconds = span === "layer";
  const xLabel = (seconds: number): string =>
    inSeconds ? `${fixed(seconds, seconds % 1 === 0 ? 0 : 1)} s` : clock((start ?? 0) + seconds, nowS.peek());
  const longSpan = spanOfLayer(series[0], shown.layer);
  const lit: [number, number] | null =
    span === "build" && longSpan && start !== null ? [longSpan[0] - start, longSpan[1] - start] : null;
  const anomalies = flagged.data?.items ?? [];
  const shownFlags = anomalies.filter(
    (one) => one.build_id === shown.build && (span === "build" || one.layer === shown.layer),
  );
  const jump = (x: number): void => {
    const first = series[0];
    if (span !== "build" || !first || start === null) return;
    let best = Infinity;
    let layer: number | null = null;
    first.timestamp.forEach((at, row) => {
      const off = Math.abs(at - start - x);
      if (off < best && first.layer[row] !== null) {
        best = off;
        layer = first.layer[row] ?? null;
      }
    });
    if (layer !== null) onLayer(layer);
  };

  return (
    <section class="panel trends" aria-label="Sensor trends">
      <header class="panel-head">
        <h2>Sensor trends</h2>
        <div class="segments" role="group" aria-label="Span of the trends">
          <button type="button" aria-pressed={span === "layer"} onClick={() => onSpan("layer")}>
            This layer
          </button>
          <button type="button" aria-pressed={span === "build"} onClick={() => onSpan("build")}>
            Whole build
          </button>
        </div>
        {other && then.data && then.data.rows > 0 && <span class="muted dashed">{comparedName}</span>}
        <span class="grow" />
        <span class="muted num">
          {start === null ? "" : `from ${clock(start, nowS.peek(), 1)} · `}
          {own.data ? `${fixed(series[0]?.rows ?? 0)} records` : ""}
          {series.some((one) => one.downsampled) ? " · lowest and highest shown" : ""}
        </span>
      </header>
      <div ref={place} class="charts">
        {own.problem && <Trouble problem={own.problem} />}
        {own.data && own.data.rows === 0 && (
          <Empty title="No records of this layer yet" advice="They appear here as the stream stores them." />
        )}
        {own.data &&
          own.data.rows > 0 &&
          series.map((one, index) => (
            <Chart
              key={one.field}
              field={one.field}
              unit={one.unit}
              line={lines[index] ?? { x: [], y: [] }}
              compared={other ? (otherLines.get(one.field) ?? null) : null}
              limits={one.limits}
              flags={shownFlags
                .filter((flag) => ruleOfType.value.get(flag.anomaly_type)?.channel === one.field)
                .filter((flag) => flag.timestamp !== null && start !== null)
                .map((flag) => ({ x: (flag.timestamp ?? 0) - (start ?? 0), severity: flag.severity }))}
              lit={lit}
              last={index === series.length - 1}
              xLabel={xLabel}
              onClick={jump}
            />
          ))}
      </div>
    </section>
  );
}
