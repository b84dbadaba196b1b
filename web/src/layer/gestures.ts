/** Hands on the layer view: drag to move, wheel or two fingers to come nearer. */

import { useEffect, useRef } from "preact/hooks";
import { pan } from "./camera";
import type { LayerViewer } from "./viewer";

interface Acts {
  zoomAt: (factor: number, px: number, py: number) => void;
  noteView: () => void;
}

/** Let the pointer move the camera of a viewer. */
export function useGestures(
  canvas: { current: HTMLCanvasElement | null },
  size: { width: number; height: number } | null,
  viewer: { current: LayerViewer | null },
  acts: Acts,
): void {
  const latest = useRef({ size, acts });
  latest.current = { size, acts };
  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const fingers = new Map<number, { x: number; y: number }>();
    const at = (event: { clientX: number; clientY: number }) => {
      const box = element.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    const spread = (): number => {
      const [a, b] = [...fingers.values()];
      return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
    };
    const down = (event: PointerEvent): void => {
      element.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, at(event));
    };
    const move = (event: PointerEvent): void => {
      const before = fingers.get(event.pointerId);
      const camera = viewer.current?.effectiveCamera();
      if (!before || !camera) return;
      const now = at(event);
      const wide = spread();
      fingers.set(event.pointerId, now);
      const share = 1 / fingers.size;
      viewer.current?.setCamera(pan(camera, (now.x - before.x) * share, (now.y - before.y) * share));
      if (fingers.size === 2 && wide > 0) {
        const [a, b] = [...fingers.values()];
        if (a && b) latest.current.acts.zoomAt(wide / spread(), (a.x + b.x) / 2, (a.y + b.y) / 2);
      }
      latest.current.acts.noteView();
    };
    const up = (event: PointerEvent): void => void fingers.delete(event.pointerId);
    const wheel = (event: WheelEvent): void => {
      event.preventDefault();
      const { x, y } = at(event);
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      latest.current.acts.zoomAt(Math.exp(event.deltaY * lines * 0.0015), x, y);
    };
    element.addEventListener("pointerdown", down);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      element.removeEventListener("pointerdown", down);
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", up);
      element.removeEventListener("pointercancel", up);
      element.removeEventListener("wheel", wheel);
    };
  }, []);
}
