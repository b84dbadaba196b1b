/** What went wrong with a request, with what to do about it (problem+json). */

export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly advice: string;
  readonly retryAfterS: number | null;

  constructor(facts: {
    status: number;
    title: string;
    detail?: string;
    advice?: string;
    retryAfterS?: number | null;
  }) {
    super(`${facts.title}: ${facts.detail ?? ""}`);
    this.name = "Problem";
    this.status = facts.status;
    this.title = facts.title;
    this.detail = facts.detail ?? "";
    this.advice = facts.advice ?? "";
    this.retryAfterS = facts.retryAfterS ?? null;
  }
}

/** The server does not answer at all. */
export function unreachable(error: unknown): Problem {
  return new Problem({
    status: 0,
    title: "The server cannot be reached",
    detail: error instanceof Error ? error.message : String(error),
    advice: "Is pbf-ray serve running? The page goes on by itself when it is back.",
  });
}

/** The problem that an answer with an error status tells of. */
export async function problemOf(response: Response): Promise<Problem> {
  const after = Number(response.headers.get("Retry-After"));
  const facts = {
    status: response.status,
    title: response.statusText || `HTTP ${response.status}`,
    retryAfterS: Number.isFinite(after) && after > 0 ? after : null,
  };
  const kind = response.headers.get("Content-Type") ?? "";
  if (!kind.includes("json")) return new Problem(facts);
  try {
    const told = (await response.json()) as Record<string, unknown>;
    const text = (name: string): string => (typeof told[name] === "string" ? told[name] : "");
    const errors = Array.isArray(told["errors"]) ? (told["errors"] as Record<string, unknown>[]) : [];
    const listed = errors.map((one) => `${String(one["where"])}: ${String(one["problem"])}`);
    return new Problem({
      ...facts,
      title: text("title") || facts.title,
      detail: [text("detail"), ...listed].filter(Boolean).join("; "),
      advice: text("advice"),
    });
  } catch {
    // An error whose body is no JSON is told by its status.
    return new Problem(facts);
  }
}
