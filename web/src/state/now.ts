/** A clock that ages are shown by. */

import { signal } from "@preact/signals";

/** s since 1970, once a second. */
export const nowS = signal(Date.now() / 1000);

export function startClock(): void {
  setInterval(() => {
    nowS.value = Date.now() / 1000;
  }, 1000);
}
