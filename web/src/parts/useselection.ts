/** A list that is walked through with j and k. */

import { useEffect, useState } from "preact/hooks";

export function useSelection(length: number): {
  selected: number;
  select: (index: number) => void;
  move: (by: number) => void;
} {
  const [selected, select] = useState(-1);
  useEffect(() => {
    if (selected >= length) select(length - 1);
  }, [length]);
  useEffect(() => {
    document.querySelector("#main .selected")?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  const move = (by: number): void => select(Math.min(length - 1, Math.max(0, selected + by)));
  return { selected, select, move };
}
