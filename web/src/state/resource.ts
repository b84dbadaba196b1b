/** Data of the API in a component: read, kept while it is read anew, with its problem. */

import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { aborted, asProblem, getJson } from "../api/client";
import type { Problem } from "../api/problem";

export interface Resource<T> {
  data: T | null;
  problem: Problem | null;
  loading: boolean;
  reload: () => void;
}

interface Held<T> {
  path: string | null;
  data: T | null;
  problem: Problem | null;
}

/** Paths that change faster are not asked for, but the one where it rests. */
const FAST_MS = 250;
const SETTLE_MS = 150;
const LEAST_PAUSE_MS = 1000;
const AFTER_FAILURE_MS = 5000;

/**
 * Read a path of the API, and again whenever one of the revisions changes, at most once a second.
 *
 * @param path Null: nothing is wanted yet.
 * @param revisions Signals that count changes.
 * @param keep Show the data of the path before until the new ones are there.
 */
export function useResource<T>(
  path: string | null,
  revisions: ReadonlySignal<number>[] = [],
  keep = false,
): Resource<T> {
  const [held, setHeld] = useState<Held<T>>({ path: null, data: null, problem: null });
  const [loading, setLoading] = useState(path !== null);
  const reload = useRef(() => {});
  const changedAt = useRef(-Infinity);

  useEffect(() => {
    if (path === null) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let busy = false;
    let wanted = false;
    let last = 0;

    const read = async (): Promise<void> => {
      busy = true;
      wanted = false;
      last = performance.now();
      setLoading(true);
      try {
        const data = await getJson<T>(path, stop.signal);
        setHeld({ path, data, problem: null });
      } catch (error) {
        if (aborted(error) || stop.signal.aborted) return;
        const problem = asProblem(error);
        setHeld((before) => ({ path, data: before.path === path ? before.data : null, problem }));
        // A server that is away comes back; a request that is wrong stays wrong.
        if (problem.status === 0 || problem.status >= 500) {
          timer = setTimeout(() => void read(), AFTER_FAILURE_MS);
        }
      } finally {
        busy = false;
        if (!stop.signal.aborted) setLoading(false);
      }
      if (wanted) soon();
    };
    const soon = (): void => {
      wanted = true;
      if (busy) return;
      clearTimeout(timer);
      timer = setTimeout(() => void read(), Math.max(0, LEAST_PAUSE_MS - (performance.now() - last)));
    };
    reload.current = () => void read();
    const sinceChange = performance.now() - changedAt.current;
    changedAt.current = performance.now();
    if (sinceChange < FAST_MS) timer = setTimeout(() => void read(), SETTLE_MS);
    else void read();
    const ends = revisions.map((revision) => {
      let first = true;
      return revision.subscribe(() => {
        if (!first) soon();
        first = false;
      });
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
      for (const end of ends) end();
    };
    // Revisions are signals of the module: always the same ones.
  }, [path]);

  const fits = held.path === path;
  return {
    data: fits || keep ? held.data : null,
    problem: fits ? held.problem : null,
    loading,
    reload: () => reload.current(),
  };
}
