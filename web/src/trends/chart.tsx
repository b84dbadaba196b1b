/** One channel over time: a line, what it is compared with, limits, and flags where it broke them. */

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Limit } from "../api/types";
import { css, severityColour } from "../colours";
import { channelDigits, channelName, fixed, quantity, signed, unitSign } from "../format";
import { themeValue, useSize } from "../parts/canvas";
import { extent, stepDigits, valueRange } from "../scales";
import { dark } from "../state/theme";
import { type Line, nearestRow } from "./align";

export interface Flag {
  x: number;
  severity: string;
}

interface Props {
  field: string;
  unit: string;
  line: Line;
  compared: Line | null;
  limits: Limit[];
  flags: Flag[];
  /** A stretch of the axis that is lit: the layer within the build. */
  lit: [number, number] | null;
  /** Whether the axis of time is shown. */
  last: boolean;
  xLabel: (seconds: number) => string;
  onClick?: (x: number) => void;
}

const HEIGHT = 92;
const AXIS_HEIGHT = 26;

export function Chart(props: Props) {
  const { field, unit, line, compared, limits, last } = props;
  const place = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const size = useSize(place);
  const isDark = dark.value;
  const height = HEIGHT + (last ? AXIS_HEIGHT : 0);

  useEffect(() => {
    if (!place.current || !size || size.width < 80) return undefined;
    const made = new uPlot(options(size.width, height, latest, readout), dataOf(latest.current), place.current);
    made.over.addEventListener("click", () => {
      const left = made.cursor.left ?? -1;
      if (left >= 0 && made.select.width === 0) latest.current.onClick?.(made.posToVal(left, "x"));
    });
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [size?.width, height, isDark]);

  useEffect(() => {
    plot.current?.setData(dataOf(latest.current));
  }, [line, compared]);
  useEffect(() => {
    plot.current?.redraw(false, false);
  }, [props.flags, props.lit, limits]);

  return (
    <div class="chart">
      <div class="chart-head">
        <strong>{channelName(field)}</strong> <span class="muted">{unitSign(unit)}</span>
        {limits.map((limit) => (
          <span key={`${limit.op}${limit.threshold}`} class={`limit ${limit.severity}`}>
            {limit.op} {limit.threshold}
          </span>
        ))}
        <span class="grow" />
        <span ref={readout} class="num chart-readout" />
      </div>
      <div
        ref={place}
        class="chart-plot"
        role="img"
        aria-label={`${channelName(field)} over time, ${summary(line, unit, field)}`}
        style={{ height: `${height}px` }}
      />
    </div>
  );
}

function summary(line: Line, unit: string, field: string): string {
  const found = extent(line.y);
  if (!found) return "no values";
  const digits = channelDigits(field);
  return `${quantity(found[0], unit, digits)} to ${quantity(found[1], unit, digits)}`;
}

function dataOf({ line, compared }: Props): uPlot.AlignedData {
  const own: uPlot.AlignedData = [line.x, line.y];
  if (!compared || compared.x.length === 0) return [line.x, line.y, line.x.map(() => null)];
  return uPlot.join([own, [compared.x, compared.y]]);
}

function options(
  width: number,
  height: number,
  latest: { current: Props },
  readout: { current: HTMLSpanElement | null },
): uPlot.Options {
  const ink = themeValue("--ink");
  const muted = themeValue("--muted");
  const grid = themeValue("--grid");
  const accent = themeValue("--accent");
  const font = "11px system-ui, sans-serif";
  return {
    width,
    height,
    legend: { show: false },
    padding: [8, 10, latest.current.last ? 0 : 6, 0],
    cursor: {
      sync: { key: "trends", scales: ["x", null] },
      drag: { x: true, y: false, setScale: true },
      points: { show: false },
      y: false,
    },
    scales: {
      x: { time: false },
      y: {
        range: () => {
          const { line, compared, limits } = latest.current;
          const values = extent([...line.y, ...(compared?.y ?? [])]);
          return valueRange(values, limits.map((limit) => limit.threshold));
        },
      },
    },
    axes: [
      {
        show: latest.current.last,
        size: AXIS_HEIGHT,
        stroke: muted,
        font,
        grid: { stroke: grid, width: 1 },
        ticks: { show: false },
        values: (_, splits) => splits.map((split) => latest.current.xLabel(split)),
        space: 70,
      },
      {
        size: 54,
        stroke: muted,
        font,
        grid: { stroke: grid, width: 1 },
        ticks: { show: false },
        space: 26,
        values: (_, splits, __, ___, step) => splits.map((split) => fixed(split, stepDigits(step))),
      },
    ],
    series: [
      {},
      { stroke: accent, width: 1.25, points: { show: false }, spanGaps: false },
      { stroke: muted, width: 1, dash: [4, 3], points: { show: false }, spanGaps: false },
    ],
    hooks: {
      drawClear: [(u) => drawLit(u, latest.current.lit)],
      draw: [(u) => drawLimits(u, latest.current)],
      setCursor: [
        (u) => {
          if (!readout.current) return;
          const left = u.cursor.left ?? -1;
          readout.current.style.color = ink;
          readout.current.textContent = left < 0 ? "" : readoutOf(latest.current, u.posToVal(left, "x"));
        },
      ],
    },
  };
}

function readoutOf({ line, compared, unit, field, xLabel }: Props, x: number): string {
  const row = nearestRow(line.x, x);
  if (row < 0) return "";
  const digits = channelDigits(field);
  const value = line.y[row] ?? null;
  const parts = [xLabel(line.x[row] ?? x), quantity(value, unit, digits)];
  const other = compared ? nearestRow(compared.x, x) : -1;
  const then = other >= 0 ? (compared?.y[other] ?? null) : null;
  if (value !== null && then !== null) parts.push(`Δ ${signed(value - then, digits)}`);
  return parts.join("   ");
}

function drawLit(u: uPlot, lit: [number, number] | null): void {
  if (!lit) return;
  const { ctx, bbox } = u;
  const left = Math.max(bbox.left, u.valToPos(lit[0], "x", true));
  const right = Math.min(bbox.left + bbox.width, u.valToPos(lit[1], "x", true));
  if (right < left) return;
  ctx.fillStyle = themeValue("--lit");
  ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
}

function drawLimits(u: uPlot, { limits, flags }: Props): void {
  const { ctx, bbox } = u;
  const isDark = dark.peek();
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top - 6 * ratio, bbox.width, bbox.height + 6 * ratio);
  ctx.clip();
  for (const limit of limits) {
    const y = Math.round(u.valToPos(limit.threshold, "y", true)) + 0.5;
    if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) continue;
    ctx.strokeStyle = css(severityColour(limit.severity, isDark));
    ctx.lineWidth = 1.25 * ratio;
    ctx.setLineDash([6 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.setLineDash([]);
  for (const flag of flags) {
    const x = u.valToPos(flag.x, "x", true);
    if (x < bbox.left - 4 || x > bbox.left + bbox.width + 4) continue;
    const y = bbox.top - 1 * ratio;
    ctx.fillStyle = css(severityColour(flag.severity, isDark));
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, y - 5 * ratio);
    ctx.lineTo(x + 4 * ratio, y - 5 * ratio);
    ctx.lineTo(x, y + 2 * ratio);
    ctx.fill();
  }
  ctx.restore();
}
