import { expect, it } from "vitest";
import { extent, niceStep, robustExtent, stepDigits, ticks, valueRange } from "../src/scales";
import { pixel, viridis, worse } from "../src/colours";

it("ticks stand at whole steps within the range", () => {
  expect(ticks(-0.31, 0.52, 5)).toEqual([-0.2, 0, 0.2, 0.4]);
  expect(ticks(3, 3, 5)).toEqual([3]);
  for (const [low, high] of [[0, 1e-3], [-7, 250], [1e6, 1e6 + 3]] as const) {
    const found = ticks(low, high, 6);
    expect(found.length).toBeGreaterThan(2);
    expect(found.length).toBeLessThan(14);
    expect(found.every((tick) => tick >= low && tick <= high)).toBe(true);
  }
  expect(niceStep(100, 6)).toBe(20);
  expect([0.05, 0.1, 1, 20, 0, Number.NaN].map(stepDigits)).toEqual([2, 1, 0, 0, 0, 0]);
});

it("extents leave out what is no number", () => {
  expect(extent([null, 3, Number.NaN, -1])).toEqual([-1, 3]);
  expect(extent([null])).toBeNull();
  expect(robustExtent([...Array.from({ length: 200 }, (_, n) => n), 1e9], 0.01)).toEqual([2, 198]);
});

it("an axis shows limits that lie near, and lets the far ones go", () => {
  const [low, high] = valueRange([1550, 1650], [1700, 9000, 1500]);
  expect(low).toBeLessThan(1500);
  expect(high).toBeGreaterThan(1700);
  expect(high).toBeLessThan(2000);
});

it("colours are opaque pixels and rise with the share", () => {
  expect(pixel([1, 2, 3]) !== 0).toBe(true);
  const light = (share: number) => viridis(share, true).reduce((a, b) => a + b, 0);
  expect(light(0)).toBeLessThan(light(0.5));
  expect(light(0.5)).toBeLessThan(light(1));
  expect(viridis(-3, false)).toEqual(viridis(0, false));
  expect(["none", "warning", "info"].reduce(worse)).toBe("warning");
});
