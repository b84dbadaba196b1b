/** Keeps the vectors of some layers and draws them, beside the page's own thread. */

import { colouring, type Colouring, type ColourMode } from "./colouring";
import type { DrawOrder, FromWorker, LayerFacts, ToWorker } from "./messages";
import { pixel } from "../colours";
import { countInSight, inSight, nearest, rasterise } from "./raster";
import { decodeVectors, RUN, type Segments } from "./vectors";

/** Layers are kept up to so many segments in all. */
const MOST_SEGMENTS = 6_000_000;
/** So few are drawn as smooth strokes. */
const FEW = 12_000;

const layers = new Map<string, Segments>();
let coloured: { of: string; colouring: Colouring } | null = null;

const tell = (message: FromWorker, transfer: Transferable[] = []): void =>
  postMessage(message, { transfer });

function hiddenKinds(segments: Segments, names: string[]): Uint8Array {
  return Uint8Array.from(segments.header.kinds, (kind) => (names.includes(kind) ? 1 : 0));
}

function factsOf(key: string, segments: Segments): LayerFacts {
  const counts = new Uint32Array(segments.header.kinds.length);
  for (let s = 0; s < segments.count; s += 1) counts[segments.kind[segments.geometry[s]!]!]! += 1;
  return {
    key,
    z_mm: segments.header.z_mm,
    bounds_mm: segments.header.bounds_mm,
    vectors: segments.count,
    kinds: segments.header.kinds.map((name, kind) => ({ name, segments: counts[kind] ?? 0 })),
  };
}

function load(key: string, buffer: ArrayBuffer): void {
  try {
    const segments = decodeVectors(buffer);
    layers.delete(key);
    layers.set(key, segments);
    tell({ type: "loaded", facts: factsOf(key, segments) });
  } catch (error) {
    tell({ type: "failed", key, message: error instanceof Error ? error.message : String(error) });
  }
  let total = 0;
  for (const [name, one] of [...layers].toReversed()) {
    total += one.count;
    // The newest two stay, however large: one is shown, one may be compared with.
    if (total > MOST_SEGMENTS && layers.size > 2) {
      layers.delete(name);
      tell({ type: "dropped", key: name });
    }
  }
}

function colouringOf(
  key: string,
  segments: Segments,
  mode: ColourMode,
  quality: number | null,
  dark: boolean,
): Colouring {
  const of = [key, mode, mode === "quality" ? quality : "", dark].join(" ");
  if (coloured?.of !== of) coloured = { of, colouring: colouring(segments, mode, quality, dark) };
  return coloured.colouring;
}

const cssOf = (colour: number): string => {
  const [r, g, b] = new Uint8Array(new Uint32Array([colour]).buffer);
  return `rgb(${r} ${g} ${b})`;
};

/** Smooth strokes: dear, so only for few. */
function stroke(
  context: OffscreenCanvasRenderingContext2D,
  order: DrawOrder,
  segments: Segments,
  colours: Uint32Array,
  hidden: Uint8Array,
  lineWidth: number,
): void {
  const { camera, width, height, pixelRatio } = order;
  const scale = pixelRatio / camera.mmPerPx;
  const left = (width * pixelRatio) / 2 - camera.x * scale;
  const top = (height * pixelRatio) / 2 + camera.y * scale;
  const paths = new Map<number, Path2D>();
  for (let run = 0; run * RUN < segments.count; run += 1) {
    if (!inSight(segments.boxes, run, camera, width, height)) continue;
    const end = Math.min(segments.count, (run + 1) * RUN);
    for (let s = run * RUN; s < end; s += 1) {
      const g = segments.geometry[s]!;
      if (hidden[segments.kind[g]!]) continue;
      const colour = colours[g]!;
      let path = paths.get(colour);
      if (!path) paths.set(colour, (path = new Path2D()));
      const x = left + segments.ends[s * 4]! * scale;
      const y = top - segments.ends[s * 4 + 1]! * scale;
      path.moveTo(x, y);
      // A point has no length, and its round cap makes it a dot.
      path.lineTo(left + segments.ends[s * 4 + 2]! * scale, top - segments.ends[s * 4 + 3]! * scale);
    }
  }
  context.lineCap = "round";
  context.lineWidth = lineWidth * pixelRatio;
  for (const [colour, path] of paths) {
    context.strokeStyle = cssOf(colour);
    context.stroke(path);
  }
}

function draw(order: DrawOrder): void {
  const began = performance.now();
  const width = Math.max(1, Math.round(order.width * order.pixelRatio));
  const height = Math.max(1, Math.round(order.height * order.pixelRatio));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gives no 2D canvas to a worker");
  const camera = { ...order.camera, mmPerPx: order.camera.mmPerPx / order.pixelRatio };
  const shown = order.key === null ? undefined : layers.get(order.key);
  const under = order.under === null ? undefined : layers.get(order.under);
  const found = shown
    ? colouringOf(order.key ?? "", shown, order.mode, order.quality, order.dark)
    : null;
  const grey = pixel(order.dark ? [66, 73, 80] : [196, 202, 208]);

  const parts = [
    ...(under ? [{ segments: under, colours: new Uint32Array(under.kind.length).fill(grey) }] : []),
    ...(shown && found ? [{ segments: shown, colours: found.pixels }] : []),
  ];
  let inView = 0;
  for (const part of parts) inView += countInSight(part.segments, camera, width, height);
  if (inView > FEW) {
    const image = context.createImageData(width, height);
    const target = { pixels: new Uint32Array(image.data.buffer), width, height };
    for (const { segments, colours } of parts) {
      rasterise(target, segments, camera, colours, hiddenKinds(segments, order.hidden));
    }
    context.putImageData(image, 0, 0);
  } else {
    // Strokes widen as one comes nearer, up to about a melt track.
    const lineWidth = Math.min(5, Math.max(1.25, 0.06 / order.camera.mmPerPx));
    for (const { segments, colours } of parts) {
      stroke(context, order, segments, colours, hiddenKinds(segments, order.hidden), lineWidth);
    }
  }
  const bitmap = canvas.transferToImageBitmap();
  tell(
    {
      type: "frame",
      key: order.key,
      bitmap,
      camera: order.camera,
      width: order.width,
      height: order.height,
      legend: found?.legend ?? null,
      hidden: order.hidden,
      drawMs: performance.now() - began,
    },
    [bitmap],
  );
}

function pick(order: Extract<ToWorker, { type: "pick" }>): void {
  const segments = layers.get(order.key);
  const answer = { type: "picked", x: order.x, y: order.y } as const;
  const hidden = segments ? hiddenKinds(segments, order.hidden) : new Uint8Array();
  const s = segments ? nearest(segments, hidden, order.x, order.y, order.withinMm) : -1;
  if (!segments || s < 0) {
    tell({ ...answer, found: null });
    return;
  }
  const g = segments.geometry[s]!;
  const known = (value: number): number | null => (Number.isFinite(value) ? value : null);
  const style = segments.header.styles.find(
    (one) => one.build_style_id === segments.style[g] && (one.model_id ?? -1) === segments.model[g],
  );
  const ends = segments.ends.slice(s * 4, s * 4 + 4);
  const [x0, y0, x1, y1] = [ends[0]!, ends[1]!, ends[2]!, ends[3]!];
  tell({
    ...answer,
    found: {
      kind: segments.header.kinds[segments.kind[g]!] ?? "unknown",
      length_mm: Math.hypot(x1 - x0, y1 - y0),
      laser_power_w: known(segments.powerW[g]!),
      speed_mm_s: known(segments.speedMmS[g]!),
      laser_id: segments.laser[g]! < 0 ? null : segments.laser[g]!,
      style: style?.name ?? null,
      ends: [x0, y0, x1, y1],
    },
  });
}

addEventListener("message", (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.type === "load") load(message.key, message.buffer);
  else if (message.type === "pick") pick(message);
  else draw(message);
});
