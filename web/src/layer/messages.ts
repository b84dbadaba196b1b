/** What the page and the worker that draws layers tell each other. */

import type { Camera } from "./camera";
import type { ColourMode, Legend } from "./colouring";

export interface LayerFacts {
  key: string;
  z_mm: number | null;
  bounds_mm: [number, number, number, number] | null;
  vectors: number;
  kinds: { name: string; segments: number }[];
}

export interface DrawOrder {
  type: "draw";
  key: string | null;
  /** A layer that is drawn in grey beneath. */
  under: string | null;
  camera: Camera;
  /** CSS pixels. */
  width: number;
  height: number;
  pixelRatio: number;
  mode: ColourMode;
  quality: number | null;
  hidden: string[];
  dark: boolean;
}

export type ToWorker =
  | { type: "load"; key: string; buffer: ArrayBuffer }
  | { type: "pick"; key: string; x: number; y: number; withinMm: number; hidden: string[] }
  | DrawOrder;

export interface Picked {
  kind: string;
  length_mm: number;
  laser_power_w: number | null;
  speed_mm_s: number | null;
  laser_id: number | null;
  style: string | null;
  ends: [number, number, number, number];
}

export type FromWorker =
  | { type: "loaded"; facts: LayerFacts }
  | { type: "failed"; key: string; message: string }
  | { type: "dropped"; key: string }
  | { type: "picked"; x: number; y: number; found: Picked | null }
  | {
      type: "frame";
      key: string | null;
      bitmap: ImageBitmap;
      camera: Camera;
      width: number;
      height: number;
      legend: Legend | null;
      hidden: string[];
      drawMs: number;
    };
