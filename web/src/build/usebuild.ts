/** A build and its layers, kept up to date by the events of the server. */

import { useEffect, useState } from "preact/hooks";
import { aborted, asProblem, getJson, withQuery } from "../api/client";
import type { Problem } from "../api/problem";
import type { Build, LayerColumns } from "../api/types";
import { onEpoch, resultsRevision } from "../state/live";
import { useResource } from "../state/resource";
import { LayerTable } from "./layertable";

export const buildPath = (build: string, rest = ""): string =>
  `/builds/${encodeURIComponent(build)}${rest}`;

/** A build's own row, read anew when something changes. */
export function useBuild(build: string | null) {
  return useResource<Build & { sensors: string[] }>(build === null ? null : buildPath(build), [
    resultsRevision,
  ]);
}

interface Held {
  build: string | null;
  table: LayerTable | null;
  problem: Problem | null;
}

const GATHER_MS = 300;
const AGAIN_MS = 5000;

/** All layers of a build; of an epoch only those that changed are asked for. */
export function useLayers(build: string | null): { table: LayerTable | null; problem: Problem | null } {
  const [held, setHeld] = useState<Held>({ build: null, table: null, problem: null });

  useEffect(() => {
    if (build === null) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let low = Infinity;
    let high = -Infinity;
    let whole = true;

    const read = async (): Promise<void> => {
      timer = undefined;
      const [first, last] = [low, high];
      const all = whole;
      low = Infinity;
      high = -Infinity;
      try {
        const range = all ? {} : { first, last };
        const news = await getJson<LayerColumns>(
          withQuery(buildPath(build, "/layers"), range),
          stop.signal,
        );
        whole = false;
        setHeld((before) => ({
          build,
          table: !all && before.build === build && before.table ? before.table.merged(news) : LayerTable.of(news),
          problem: null,
        }));
        if (low <= high && timer === undefined) timer = setTimeout(() => void read(), GATHER_MS);
      } catch (error) {
        if (aborted(error) || stop.signal.aborted) return;
        const problem = asProblem(error);
        low = Math.min(low, first);
        high = Math.max(high, last);
        setHeld((before) => ({ build, table: before.build === build ? before.table : null, problem }));
        // It may come back, or the build may have its first records soon.
        if (timer === undefined) timer = setTimeout(() => void read(), AGAIN_MS);
      }
    };
    void read();
    const end = onEpoch((epoch) => {
      const changed = epoch.builds.find((one) => one.build_id === build);
      if (!changed || changed.layers.length === 0) return;
      for (const layer of changed.layers) {
        low = Math.min(low, layer);
        high = Math.max(high, layer);
      }
      if (timer === undefined) timer = setTimeout(() => void read(), GATHER_MS);
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
      end();
    };
  }, [build]);

  return held.build === build
    ? { table: held.table, problem: held.problem }
    : { table: null, problem: null };
}
