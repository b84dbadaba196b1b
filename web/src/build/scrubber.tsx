/** The layer scrubber: the whole build as strips of heat; click, drag or keys choose a layer. */

import { useEffect, useRef } from "preact/hooks";
import { contextOf, themeValue, useSize } from "../parts/canvas";
import { channelName, fixed } from "../format";
import { dark } from "../state/theme";
import type { LayerTable } from "./layertable";
import { drawStrip, layerAt, placeOf, ROW_GAP, STRIP_ROWS, stripHeight, stripRange } from "./strip";

interface Props {
  table: LayerTable;
  planned: number | null;
  layer: number;
  /** The layer that this one is compared with, if it is of this build. */
  compared: number | null;
  onLayer: (layer: number) => void;
}

const HEIGHT = stripHeight(STRIP_ROWS);

export function Scrubber({ table, planned, layer, compared, onLayer }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const strip = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const size = useSize(place);
  const range = stripRange(table, planned);
  const isDark = dark.value;

  useEffect(() => {
    if (!size || !strip.current) return;
    const context = contextOf(strip.current, { width: size.width, height: HEIGHT });
    if (context) drawStrip(context, table, STRIP_ROWS, range, size.width, isDark);
  }, [table, size, isDark, range[0], range[1]]);

  useEffect(() => {
    if (!size || !marks.current) return;
    const context = contextOf(marks.current, { width: size.width, height: HEIGHT + 8 });
    if (!context) return;
    const mark = (which: number, colour: string, line: number): void => {
      const [x, wide] = placeOf(which, size.width, range);
      const middle = x + wide / 2;
      const half = Math.max(1.5, wide / 2);
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.strokeRect(middle - half, 4.5, half * 2, HEIGHT - 1);
      context.fillStyle = colour;
      context.beginPath();
      context.moveTo(middle - 5, 0);
      context.lineTo(middle + 5, 0);
      context.lineTo(middle, 6);
      context.fill();
    };
    if (compared !== null) mark(compared, themeValue("--muted"), 1);
    mark(layer, themeValue("--ink"), 2);
  }, [layer, compared, size, isDark, range[0], range[1]]);

  const choose = (event: PointerEvent): void => {
    if (!size || !place.current) return;
    const wanted = layerAt(event.clientX - place.current.getBoundingClientRect().left, size.width, range);
    const reached = Math.min(table.last ?? wanted, Math.max(table.first ?? wanted, wanted));
    if (reached !== layer) onLayer(table.step(reached, 0) ?? reached);
  };

  return (
    <div class="scrubber">
      <div class="scrubber-names" aria-hidden="true">
        {STRIP_ROWS.map((row) => (
          <span key={row.name} class={row.kind} style={{ height: `${row.height}px`, marginBottom: `${ROW_GAP}px` }}>
            {channelName(row.name.replace(/_avg$/, ""))}
          </span>
        ))}
      </div>
      <div
        ref={place}
        class="scrubber-strip"
        role="slider"
        tabIndex={0}
        aria-label="Layer"
        aria-valuemin={range[0]}
        aria-valuemax={range[1]}
        aria-valuenow={layer}
        aria-valuetext={`layer ${layer}, ${table.text("severity", layer) ?? "no records"}, quality ${fixed(table.number("quality_score", layer), 3)}`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          choose(event);
        }}
        onPointerMove={(event) => {
          if (event.buttons & 1) choose(event);
        }}
        style={{ height: `${HEIGHT + 8}px` }}
      >
        <canvas ref={strip} class="strip" />
        <canvas ref={marks} class="marks" />
      </div>
      <div class="scrubber-scale" aria-hidden="true">
        <span>{range[0]}</span>
        <span>layer</span>
        <span>{range[1]}</span>
      </div>
    </div>
  );
}
