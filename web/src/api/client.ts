/** Requests to the API: a token where one is wanted, patience where the server asks for it. */

import { Problem, problemOf, unreachable } from "./problem";
import { askForToken, authorization, token } from "./token";

const BASE = "/api/v1";
const TRIES = 4;
const LONGEST_WAIT_S = 10;

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/**
 * One request. Waits and tries again on 429 and 503, asks for a token on 401.
 *
 * @throws Problem for every other error status, and where no server answers.
 */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  for (let tried = 1; ; tried += 1) {
    const used = token();
    let response: Response;
    try {
      response = await fetch(BASE + path, {
        ...init,
        headers: { ...authorization(), ...(init.headers as Record<string, string> | undefined) },
      });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw unreachable(error);
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401) {
      // Another request may have been given a token meanwhile.
      if (token() === used) await askForToken(problem);
      tried = 0;
    } else if ((response.status === 429 || response.status === 503) && tried < TRIES) {
      await pause(Math.min(problem.retryAfterS ?? tried, LONGEST_WAIT_S));
    } else {
      throw problem;
    }
    init.signal?.throwIfAborted();
  }
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export async function getBytes(
  path: string,
  accept: string,
  signal: AbortSignal,
): Promise<ArrayBuffer> {
  const response = await request(path, { signal, headers: { Accept: accept } });
  return response.arrayBuffer();
}

export async function postJson<T>(path: string, body: unknown): Promise<T> {
  const response = await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

/** A path with its query, without what is empty. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>) {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") told.set(name, String(value));
  }
  const text = told.toString();
  return text ? `${path}?${text}` : path;
}

/** Whether an error is only that nobody wants the answer any more. */
export function aborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({
    status: 0,
    title: "The answer could not be read",
    detail: error instanceof Error ? error.message : String(error),
    advice: "The page and the server may be of different versions: reload the page.",
  });
}
