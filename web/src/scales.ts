/** Ranges and ticks. */

/** A step of 1, 2 or 5 times a power of ten, so that about `wanted` of them fill the span. */
export function niceStep(span: number, wanted: number): number {
  if (!(span > 0) || !(wanted > 0)) return 1;
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const share = raw / power;
  return (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10) * power;
}

/** Ticks at whole steps from `low` to `high`. */
export function ticks(low: number, high: number, wanted: number): number[] {
  const step = niceStep(high - low, wanted);
  const found: number[] = [];
  const digits = Math.max(0, -Math.floor(Math.log10(step)) + 1);
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
    found.push(Number((index * step).toFixed(digits)));
  }
  return found;
}

/** Decimals that ticks of a step need. */
export function stepDigits(step: number): number {
  if (!(step > 0)) return 0;
  return Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
}

/** Lowest and highest of the finite values; null where there are none. */
export function extent(values: Iterable<number | null | undefined>): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** The extent without the outermost shares, so that one odd value does not flatten the rest. */
export function robustExtent(
  values: readonly (number | null)[],
  share = 0.01,
): [number, number] | null {
  const sorted = values.filter((value) => value !== null && Number.isFinite(value)) as number[];
  sorted.sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const cut = Math.floor(sorted.length * share);
  return [sorted[cut] ?? 0, sorted[sorted.length - 1 - cut] ?? 0];
}

/**
 * What an axis shows: all values, and those limits that lie near them.
 *
 * A limit further away than `reach` times the span of the values would press them into a line.
 */
export function valueRange(
  values: [number, number] | null,
  limits: readonly number[],
  reach = 1.2,
): [number, number] {
  if (values === null) return [0, 1];
  let [low, high] = values;
  const span = Math.max(high - low, Math.abs(high) * 1e-3, 1e-9);
  for (const limit of limits) {
    if (limit > high && limit - values[1] <= span * reach) high = limit;
    if (limit < low && values[0] - limit <= span * reach) low = limit;
  }
  const margin = Math.max((high - low) * 0.06, span * 0.06);
  return [low - margin, high + margin];
}
