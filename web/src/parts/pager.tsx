/** From page to page of a list by its cursor; the browser's own Back goes back. */

import { count } from "../format";
import { route, setParams } from "../state/router";

interface Props {
  total: number | undefined;
  what: string;
  many?: string;
  shown: number;
  next: string | null;
  /** The parameter of the address that holds the cursor. */
  param?: string;
}

export function Pager({ total, what, many, shown, next, param = "cursor" }: Props) {
  const within = Boolean(route.value.params[param]);
  return (
    <nav class="pager" aria-label={`Pages of ${many ?? `${what}s`}`}>
      <span class="muted num">
        {total === undefined ? count(shown, what, many) : `${count(total, what, many)}, ${shown} here`}
      </span>
      <span class="grow" />
      {within && (
        <>
          <button type="button" onClick={() => setParams({ [param]: null }, "push")}>
            Newest
          </button>
          <button type="button" onClick={() => history.back()}>
            Back
          </button>
        </>
      )}
      {next && (
        <button type="button" onClick={() => setParams({ [param]: next }, "push")}>
          Older
        </button>
      )}
    </nav>
  );
}
