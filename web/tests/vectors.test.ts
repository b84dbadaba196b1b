import { describe, expect, it } from "vitest";
import { colouring } from "../src/layer/colouring";
import { nearest, rasterise } from "../src/layer/raster";
import { decodeVectors } from "../src/layer/vectors";
import { packed, type Geometry } from "./packed";

const HATCH: Geometry = { kind: 0, points: [[0, 0], [10, 0], [10, 1], [0, 1]], powerW: 200 };
const RING: Geometry = { kind: 1, closed: true, points: [[0, 0], [4, 0], [4, 4]], powerW: 100 };
const DOTS: Geometry = { kind: 2, points: [[5, 5], [6, 6]] };

describe("decoding", () => {
  it("unpacks hatches in pairs, closes contours, keeps points", () => {
    const layer = decodeVectors(packed([HATCH, RING, DOTS]));
    expect(layer.count).toBe(2 + 3 + 2);
    expect([...layer.geometry]).toEqual([0, 0, 1, 1, 1, 2, 2]);
    expect([...layer.ends.slice(0, 8)]).toEqual([0, 0, 10, 0, 10, 1, 0, 1]);
    expect([...layer.ends.slice(16, 20)]).toEqual([4, 4, 0, 0]);
    expect([...layer.boxes]).toEqual([0, 0, 10, 6]);
  });
  it("does not close a contour twice", () => {
    const joined = { ...RING, points: [...RING.points, [0, 0] as [number, number]] };
    expect(decodeVectors(packed([joined])).count).toBe(3);
  });
  it("refuses bytes that are not what their header says", () => {
    const whole = packed([HATCH]);
    expect(() => decodeVectors(whole.slice(0, whole.byteLength - 8))).toThrow(/cut off/);
    expect(() => decodeVectors(new ArrayBuffer(16))).toThrow(/PBFV/);
    expect(() => decodeVectors(packed([{ ...HATCH, count: 99 }]))).toThrow(/not there/);
  });
});

describe("drawing", () => {
  const layer = decodeVectors(packed([HATCH, RING, DOTS]));
  const shown = new Uint8Array(4);
  it("draws a line on the pixels that it crosses, and nothing outside", () => {
    const target = { pixels: new Uint32Array(20 * 10), width: 20, height: 10 };
    // One mm per pixel, the middle of the picture at (5, 0): y = 0 is row 5.
    rasterise(target, layer, { x: 5, y: 0, mmPerPx: 1 }, new Uint32Array([7, 8, 9]), Uint8Array.of(0, 1, 1, 1));
    const row = (y: number) => [...target.pixels.slice(y * 20, y * 20 + 20)];
    expect(row(5)).toEqual([...Array(5).fill(0), ...Array(11).fill(7), ...Array(4).fill(0)]);
    expect(row(4)).toEqual(row(5));
    expect(row(3).every((pixel) => pixel === 0)).toBe(true);
  });
  it("is right for every place that one can look from", () => {
    // Lines that end outside, on any side, stay within the picture and keep their slope.
    for (let turn = 0; turn < 64; turn += 1) {
      const angle = (turn / 64) * 2 * Math.PI;
      const far: [number, number] = [1e4 * Math.cos(angle), 1e4 * Math.sin(angle)];
      const one = decodeVectors(packed([{ kind: 0, points: [[0, 0], far] }]));
      const target = { pixels: new Uint32Array(64 * 64), width: 64, height: 64 };
      rasterise(target, one, { x: 0, y: 0, mmPerPx: 1 }, Uint32Array.of(5), shown);
      const hit = target.pixels.reduce((n, pixel) => n + (pixel === 5 ? 1 : 0), 0);
      expect(hit).toBeGreaterThanOrEqual(31);
      expect(hit).toBeLessThanOrEqual(34);
    }
  });
  it("finds the nearest segment that is shown", () => {
    expect(nearest(layer, shown, 7, 0.9, 0.5)).toBe(1);
    expect(nearest(layer, shown, 5.1, 5.2, 0.5)).toBe(5);
    expect(nearest(layer, Uint8Array.of(0, 0, 1, 0), 5.1, 5.2, 0.5)).toBe(-1);
  });
  it("colours by amount, and says what the file does not tell", () => {
    const power = colouring(layer, "power", null, true);
    expect(power.legend.scale).toEqual({ low: 100, high: 200, unit: "W" });
    expect(new Set(power.pixels).size).toBe(3);
    expect(colouring(layer, "speed", null, true).legend.note).toContain("does not tell");
    expect(colouring(layer, "kind", null, true).legend.entries.map((one) => one.label)).toEqual([
      "hatch", "contour", "points",
    ]);
  });
});
