/** Keys of the page and of its screens; what is bound is what the help lists. */

import { useEffect, useRef } from "preact/hooks";

export interface Binding {
  /** As `event.key`, with `Shift+` before it where that matters; two keys: `g f`. */
  keys: string[];
  what: string;
  act: () => void;
}

const groups: { title: string; bindings: () => Binding[] }[] = [];
let pending = "";
let pendingAt = -Infinity;
const CHORD_MS = 2500;

/** Everything bound now, for the help. */
export function boundKeys(): { title: string; bindings: Binding[] }[] {
  return groups.map((group) => ({ title: group.title, bindings: group.bindings() }));
}

/** The name of a key press as bindings write it. */
export function keyName(event: { key: string; shiftKey: boolean }): string {
  const named = event.key.length > 1;
  return event.shiftKey && named ? `Shift+${event.key}` : event.key;
}

function typing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return (
    element?.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, dialog") != null
  );
}

export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target)) return;
    const name = keyName(event);
    const chord = performance.now() - pendingAt < CHORD_MS ? `${pending} ${name}` : "";
    pending = name;
    pendingAt = performance.now();
    const all = groups.flatMap((group) => group.bindings());
    for (const wanted of [chord, name]) {
      const binding = all.find((one) => one.keys.includes(wanted));
      if (!binding) continue;
      event.preventDefault();
      pendingAt = -Infinity;
      binding.act();
      return;
    }
  });
}

/** Bind keys while a component is there. */
export function useKeys(title: string, bindings: Binding[]): void {
  const latest = useRef(bindings);
  latest.current = bindings;
  useEffect(() => {
    const group = { title, bindings: () => latest.current };
    groups.push(group);
    return () => void groups.splice(groups.indexOf(group), 1);
  });
}
