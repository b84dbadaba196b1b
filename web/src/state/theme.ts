/** Light, dark, or as the system has it. */

import { computed, effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "pbf_ray.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(system.matches);
system.addEventListener("change", (event) => {
  systemDark.value = event.matches;
});

const stored = localStorage.getItem(KEY);
export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "system");
export const dark = computed(() =>
  theme.value === "system" ? systemDark.value : theme.value === "dark",
);

effect(() => {
  document.documentElement.dataset["theme"] = dark.value ? "dark" : "light";
});

/** To the other of light and dark. */
export function toggleTheme(): void {
  theme.value = dark.value ? "light" : "dark";
  localStorage.setItem(KEY, theme.value);
}
