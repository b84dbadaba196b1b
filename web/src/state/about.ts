/** Who serves, which rules judge, and who is asking. */

import { computed, signal } from "@preact/signals";
import { asProblem, getJson } from "../api/client";
import type { Problem } from "../api/problem";
import type { About, Rule } from "../api/types";

export const about = signal<About | null>(null);
export const aboutProblem = signal<Problem | null>(null);

export const mayDecide = computed(() => about.value?.caller.scopes.includes("decide") ?? false);

/** The rule that names an anomaly type. */
export const ruleOfType = computed(() => {
  const found = new Map<string, Rule>();
  for (const rule of about.value?.profile.rules ?? []) {
    if (!found.has(rule.anomaly_type)) found.set(rule.anomaly_type, rule);
  }
  return found;
});

const AGAIN_MS = 3000;

export async function loadAbout(): Promise<void> {
  for (;;) {
    try {
      about.value = await getJson<About>("/about");
      aboutProblem.value = null;
      return;
    } catch (error) {
      aboutProblem.value = asProblem(error);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}
