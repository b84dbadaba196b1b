/** Canvases that fit their place and the screen's pixels. */

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

export interface Size {
  width: number;
  height: number;
}

/** The size of an element in CSS pixels, as it changes; null before it is known. */
export function useSize(ref: RefObject<HTMLElement | null>): Size | null {
  const [size, setSize] = useState<Size | null>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const watcher = new ResizeObserver(([entry]) => {
      if (!entry) return;
      const { width, height } = entry.contentRect;
      setSize({ width: Math.floor(width), height: Math.floor(height) });
    });
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  return size;
}

/** Pixels of the screen per CSS pixel; more than two are not seen, but cost. */
export const pixelRatio = (): number => Math.min(2, globalThis.devicePixelRatio || 1);

/** A 2D context that is drawn on in CSS pixels, cleared. */
export function contextOf(canvas: HTMLCanvasElement, size: Size): CanvasRenderingContext2D | null {
  const ratio = pixelRatio();
  const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  context?.clearRect(0, 0, size.width, size.height);
  return context;
}

/** The value of a CSS variable of the theme. */
export const themeValue = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
