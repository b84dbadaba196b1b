/** What the server tells by itself: one stream of events for the whole page. */

import { signal } from "@preact/signals";
import { request } from "../api/client";
import { Problem } from "../api/problem";
import { EventReader, type ServerEvent } from "../api/sse";
import type { EpochEvent, LiveStatus } from "../api/types";

/** `live` while events can come; `lost` when the stream broke and is being opened again. */
export const connection = signal<"connecting" | "live" | "lost">("connecting");
export const liveStatus = signal<LiveStatus | null>(null);
/** Counts the epochs heard of; what shows results follows it. */
export const resultsRevision = signal(0);
/** Counts acknowledgements and decisions heard of. */
export const ledgerRevision = signal(0);
/** The last epoch heard of. */
export const lastEpoch = signal<EpochEvent | null>(null);

const epochListeners = new Set<(event: EpochEvent) => void>();

/** Be told of every epoch. Gives the function that ends it. */
export function onEpoch(listener: (event: EpochEvent) => void): () => void {
  epochListeners.add(listener);
  return () => epochListeners.delete(listener);
}

// The server says that it is alive every 15 s.
const SILENCE_MS = 45_000;
const LONGEST_PAUSE_MS = 15_000;

function take(event: ServerEvent): void {
  if (event.event === "status") {
    liveStatus.value = JSON.parse(event.data) as LiveStatus;
  } else if (event.event === "ledger") {
    ledgerRevision.value += 1;
  } else if (event.event === "epoch") {
    const epoch = JSON.parse(event.data) as EpochEvent;
    lastEpoch.value = epoch;
    resultsRevision.value += 1;
    for (const listener of epochListeners) listener(epoch);
  }
}

async function listen(last: { id: string | null }): Promise<void> {
  const stop = new AbortController();
  let alarm = setTimeout(() => stop.abort(), SILENCE_MS);
  try {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (last.id) headers["Last-Event-ID"] = last.id;
    const response = await request("/events", { headers, signal: stop.signal, cache: "no-store" });
    if (!response.body) return;
    const reader = new EventReader();
    const texts = response.body.pipeThrough(new TextDecoderStream()).getReader();
    connection.value = "live";
    for (;;) {
      const { done, value } = await texts.read();
      if (done) return;
      clearTimeout(alarm);
      alarm = setTimeout(() => stop.abort(), SILENCE_MS);
      for (const event of reader.feed(value)) {
        if (event.id) last.id = event.id;
        take(event);
      }
    }
  } finally {
    clearTimeout(alarm);
  }
}

/** Listen until the page is left; a stream that breaks is opened again. */
export async function keepListening(): Promise<never> {
  const last: { id: string | null } = { id: null };
  for (let failed = 0; ; ) {
    const began = performance.now();
    try {
      await listen(last);
    } catch (error) {
      console.info("the stream of events broke; it is opened again", error);
      // A server that does not know where the stream was begins anew.
      if (error instanceof Problem && error.status >= 400 && error.status < 500) last.id = null;
    }
    failed = performance.now() - began > SILENCE_MS ? 0 : failed + 1;
    connection.value = "lost";
    await new Promise((resolve) =>
      setTimeout(resolve, Math.min(500 * 2 ** failed, LONGEST_PAUSE_MS)),
    );
    if (failed === 0 || last.id === null) {
      // What happened meanwhile is not told: everything shown is read anew.
      resultsRevision.value += 1;
      ledgerRevision.value += 1;
    }
  }
}
