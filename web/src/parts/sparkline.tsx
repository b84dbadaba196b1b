/** A small line without axes: how a value went over the last layers. */

import { extent } from "../scales";

const WIDTH = 76;
const HEIGHT = 22;

/** The path of values, left to right; null leaves a gap. */
export function sparkPath(values: readonly (number | null)[], width = WIDTH, height = HEIGHT): string {
  const found = extent(values);
  if (!found || values.length < 2) return "";
  const [low, high] = found;
  let path = "";
  let pen = false;
  values.forEach((value, index) => {
    if (value === null) {
      pen = false;
      return;
    }
    const x = (index / (values.length - 1)) * (width - 4) + 2;
    const share = high > low ? (value - low) / (high - low) : 0.5;
    const y = height - 3 - share * (height - 6);
    path += `${pen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = true;
  });
  return path;
}

interface Props {
  values: (number | null)[];
  /** The index that is marked. */
  mark: number;
}

export function Sparkline({ values, mark }: Props) {
  const x = values.length > 1 ? (mark / (values.length - 1)) * (WIDTH - 4) + 2 : WIDTH / 2;
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      {mark >= 0 && <line x1={x} x2={x} y1="1" y2={HEIGHT - 1} class="mark" />}
      <path d={sparkPath(values)} />
    </svg>
  );
}
