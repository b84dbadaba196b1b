/** The API token: in this tab's session storage and in a header, never in an address. */

import { signal } from "@preact/signals";
import type { Problem } from "./problem";

const KEY = "pbf_ray.token";

/** Set while the API wants a token; the page asks for it then. */
export const tokenWanted = signal<Problem | null>(null);

let waiting: (() => void)[] = [];

export function token(): string | null {
  return sessionStorage.getItem(KEY);
}

/** Authorization header, if there is a token. */
export function authorization(): Record<string, string> {
  const known = token();
  return known ? { Authorization: `Bearer ${known}` } : {};
}

/** Keep a token and let all requests that wait for one go on. */
export function giveToken(text: string): void {
  sessionStorage.setItem(KEY, text.trim());
  tokenWanted.value = null;
  const released = waiting;
  waiting = [];
  for (const go of released) go();
}

/** Forget the token, as at the end of a shift. */
export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

/** Ask for a token; resolves when one was given. */
export function askForToken(problem: Problem): Promise<void> {
  tokenWanted.value = problem;
  return new Promise((resolve) => waiting.push(resolve));
}
