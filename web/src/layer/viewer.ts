/**
 * The layer view without its surroundings: a canvas that answers every move at once.
 *
 * A move shows the last picture, moved and scaled; the worker draws the next one meanwhile. One is
 * under way at most, so a slow machine shows fewer of them but never stutters.
 */

import { contextOf, pixelRatio, type Size } from "../parts/canvas";
import { cameraText, fit, type Bounds, type Camera } from "./camera";
import type { ColourMode, Legend } from "./colouring";
import type { DrawOrder, FromWorker, LayerFacts, Picked, ToWorker } from "./messages";
import { drawAxes, drawGrid, type Ink } from "./overlay";

export interface Look {
  mode: ColourMode;
  quality: number | null;
  hidden: string[];
  dark: boolean;
  ink: Ink;
}

export interface Told {
  legend: Legend | null;
  facts: LayerFacts | null;
}

type Frame = Extract<FromWorker, { type: "frame" }>;

const STARTING_BOUNDS: Bounds = [0, 0, 100, 100];

export class LayerViewer {
  camera: Camera | null = null;
  /** Called when legend or facts of what is shown change. */
  onTold: (told: Told) => void = () => {};
  onPicked: (found: Picked | null) => void = () => {};
  onProblem: (message: string) => void = () => {};

  private readonly worker: Worker;
  private readonly facts = new Map<string, LayerFacts>();
  private frame: Frame | null = null;
  private shown: string | null = null;
  private under: string | null = null;
  private look: Look | null = null;
  private size: Size | null = null;
  private drawing = false;
  private stale = false;
  private painting = 0;
  private picked: Picked | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", (event: MessageEvent<FromWorker>) => this.hear(event.data));
    this.worker.addEventListener("error", (event) => this.onProblem(event.message));
  }

  close(): void {
    cancelAnimationFrame(this.painting);
    this.worker.terminate();
  }

  /** Whether the vectors of a layer are with the worker. */
  holds(key: string): boolean {
    return this.facts.has(key);
  }

  /** How many vectors a layer has, once it is here. */
  vectorsOf(key: string): number | undefined {
    return this.facts.get(key)?.vectors;
  }

  load(key: string, buffer: ArrayBuffer): void {
    this.send({ type: "load", key, buffer }, [buffer]);
  }

  show(key: string | null, under: string | null): void {
    if (key === this.shown && under === this.under) return;
    this.shown = key;
    this.under = under;
    this.picked = null;
    this.onPicked(null);
    this.changed();
  }

  setLook(look: Look): void {
    this.look = look;
    this.changed();
  }

  setSize(size: Size): void {
    this.size = size;
    this.changed();
  }

  setCamera(camera: Camera): void {
    this.camera = camera;
    this.changed();
  }

  /** Show all of the layer. */
  fit(): void {
    this.camera = null;
    this.changed();
  }

  pick(x: number, y: number): void {
    if (!this.shown || !this.camera || !this.look) return;
    const withinMm = 8 * this.camera.mmPerPx;
    this.send({ type: "pick", key: this.shown, x, y, withinMm, hidden: this.look.hidden });
  }

  /** The camera as it is used: the chosen one, or one that fits the layer. */
  effectiveCamera(): Camera | null {
    if (!this.size) return null;
    const key = this.shown ?? this.under;
    const bounds = (key === null ? null : this.facts.get(key)?.bounds_mm) ?? this.lastBounds;
    if (this.camera) return this.camera;
    this.lastBounds = bounds;
    return fit(bounds, this.size.width, this.size.height);
  }

  private lastBounds: Bounds = STARTING_BOUNDS;

  private send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  private hear(message: FromWorker): void {
    switch (message.type) {
      case "loaded":
        this.facts.set(message.facts.key, message.facts);
        if (message.facts.key === this.shown || message.facts.key === this.under) this.changed();
        break;
      case "dropped":
        this.facts.delete(message.key);
        break;
      case "failed":
        this.onProblem(message.message);
        break;
      case "picked":
        this.picked = message.found;
        this.onPicked(message.found);
        this.paintSoon();
        break;
      case "frame":
        this.frame?.bitmap.close();
        this.frame = message;
        this.drawing = false;
        this.canvas.dataset["drawMs"] = message.drawMs.toFixed(1);
        this.canvas.dataset["shown"] = message.key ?? "";
        this.canvas.dataset["hidden"] = message.hidden.toSorted().join(",");
        this.onTold({ legend: message.legend, facts: this.facts.get(message.key ?? "") ?? null });
        this.paintSoon();
        if (this.stale) this.order();
        break;
    }
  }

  private changed(): void {
    this.paintSoon();
    if (this.drawing) this.stale = true;
    else this.order();
  }

  private order(): void {
    const camera = this.effectiveCamera();
    if (!camera || !this.size || !this.look || this.size.width < 2 || this.size.height < 2) return;
    const held = (key: string | null): string | null => (key !== null && this.facts.has(key) ? key : null);
    // Until the vectors are here the last picture stays, faint.
    if (this.shown !== null && !held(this.shown)) return;
    this.drawing = true;
    this.stale = false;
    const { mode, quality, hidden, dark } = this.look;
    const order: DrawOrder = {
      type: "draw",
      key: held(this.shown),
      under: held(this.under),
      camera,
      width: this.size.width,
      height: this.size.height,
      pixelRatio: pixelRatio(),
      mode,
      quality,
      hidden,
      dark,
    };
    this.send(order);
  }

  private paintSoon(): void {
    if (this.painting) return;
    this.painting = requestAnimationFrame(() => {
      this.painting = 0;
      this.paint();
    });
  }

  private paint(): void {
    const camera = this.effectiveCamera();
    if (!camera || !this.size || !this.look) return;
    const { width, height } = this.size;
    const context = contextOf(this.canvas, this.size);
    if (!context) return;
    drawGrid(context, camera, width, height, this.look.ink);
    if (this.frame) {
      const { bitmap, camera: then, width: w, height: h } = this.frame;
      const scale = then.mmPerPx / camera.mmPerPx;
      const left = width / 2 + (then.x - camera.x) / camera.mmPerPx - (w / 2) * scale;
      const top = height / 2 - (then.y - camera.y) / camera.mmPerPx - (h / 2) * scale;
      context.imageSmoothingEnabled = scale !== 1;
      context.globalAlpha = this.frame.key === this.shown ? 1 : 0.2;
      context.drawImage(bitmap, left, top, w * scale, h * scale);
      context.globalAlpha = 1;
    }
    if (this.picked) {
      const [x0, y0, x1, y1] = this.picked.ends;
      const px = (x: number): number => width / 2 + (x - camera.x) / camera.mmPerPx;
      const py = (y: number): number => height / 2 - (y - camera.y) / camera.mmPerPx;
      context.lineCap = "round";
      context.strokeStyle = this.look.ink.ground;
      context.lineWidth = 6;
      context.beginPath();
      context.moveTo(px(x0), py(y0));
      context.lineTo(px(x1), py(y1));
      context.stroke();
      context.strokeStyle = this.look.ink.text;
      context.lineWidth = 3;
      context.stroke();
    }
    drawAxes(context, camera, width, height, this.look.ink);
    this.canvas.dataset["camera"] = cameraText(camera);
  }
}
