/** What stands where there is nothing, or where something failed: what it is, and what to do. */

import type { Problem } from "../api/problem";

export function Empty({ title, advice }: { title: string; advice?: string }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {advice && <p>{advice}</p>}
    </div>
  );
}

export function Trouble({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  return (
    <div class="trouble" role="alert">
      <strong>{problem.title}</strong>
      {problem.detail && <p>{problem.detail}</p>}
      {problem.advice && <p class="advice">{problem.advice}</p>}
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

export const Loading = ({ what }: { what: string }) => (
  <div class="empty" role="status">
    <span class="muted">Reading {what} …</span>
  </div>
);
