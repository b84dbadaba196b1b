import { describe, expect, it } from "vitest";
import { EventReader } from "../src/api/sse";
import { comparedLayer, comparisonText, parseComparison } from "../src/build/compare";
import { keeps } from "../src/build/limits";
import { LayerTable } from "../src/build/layertable";
import { Arrivals, freshness } from "../src/fleet/urgency";
import { layerAt, placeOf } from "../src/build/strip";
import { cameraText, fit, pan, parseCamera, toMm, toPx, zoom } from "../src/layer/camera";
import { href, parseRoute } from "../src/state/router";
import { nearestRow, spanOfLayer } from "../src/trends/align";

describe("server-sent events", () => {
  const TEXT =
    ": alive\n\nevent: epoch\nid: 7\ndata: {\"a\":\ndata: 1}\n\r\ndata: x\r\n\r\nevent: status\ndata: y\n\nevent: cut";
  it("come out the same however the stream is cut", () => {
    const whole = new EventReader().feed(TEXT);
    expect(whole).toEqual([
      { event: "epoch", data: '{"a":\n1}', id: "7" },
      { event: "message", data: "x", id: "7" },
      { event: "status", data: "y", id: "7" },
    ]);
    for (let size = 1; size < 12; size += 1) {
      const reader = new EventReader();
      const found = [];
      for (let at = 0; at < TEXT.length; at += size) found.push(...reader.feed(TEXT.slice(at, at + size)));
      expect(found).toEqual(whole);
    }
  });
});

describe("addresses", () => {
  it("lead back to where they came from, whatever an id holds", () => {
    const address = href("build", { build: "A/b.c?d&e=ü", layer: 0, compare: null });
    const [path, query] = address.split(/\?(.*)/s);
    expect(parseRoute(path ?? "", `?${query}`)).toEqual({
      screen: "build",
      params: { build: "A/b.c?d&e=ü", layer: "0" },
    });
    expect(parseRoute("/", "").screen).toBe("fleet");
    expect(parseRoute("/nowhere", "").screen).toBeNull();
  });
  it("hold the comparison", () => {
    for (const text of ["before", "build:a:b"]) expect(comparisonText(parseComparison(text))).toBe(text);
    expect(parseComparison("build:").kind).toBe("none");
    expect(comparedLayer({ kind: "before" }, "B", 0, 0)).toBeNull();
    expect(comparedLayer({ kind: "build", build: "G" }, "B", 3, 0)).toEqual({ build: "G", layer: 3 });
  });
});

describe("camera", () => {
  const at = { x: 12.5, y: -4, mmPerPx: 0.05 };
  it("keeps the place under the hand when one comes nearer", () => {
    const before = toMm(at, 30, 200, 800, 600);
    const after = toMm(zoom(at, 0.5, 30, 200, 800, 600), 30, 200, 800, 600);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });
  it("goes from mm to pixels and back, and through the address", () => {
    const px = toPx(at, 3, 7, 800, 600);
    const mm = toMm(at, px.x, px.y, 800, 600);
    expect([mm.x, mm.y]).toEqual([expect.closeTo(3), expect.closeTo(7)]);
    expect(parseCamera(cameraText(at))).toEqual(at);
    for (const bad of ["", "1,2", "1,2,x", "1,2,-3", "1,2,3,4"]) expect(parseCamera(bad)).toBeNull();
  });
  it("shows all of the bounds", () => {
    const camera = fit([0, 0, 100, 50], 500, 500);
    expect(toPx(camera, 100, 25, 500, 500).x).toBeLessThan(500);
    expect(pan(camera, 10, 0).x).toBeLessThan(camera.x);
  });
});

describe("layers", () => {
  const table = new LayerTable({ layer: [2, 3, 5], anomalies: [0, 1, 0], state: ["closed", "closed", "open"] });
  it("take news in without losing the rest", () => {
    const news = { build_id: "B", rows: 2, columns: { layer: [5, 6], anomalies: [4, 0], extra: [1, 2] } };
    const merged = table.merged(news);
    expect(merged.layers).toEqual([2, 3, 5, 6]);
    expect(merged.numbers("anomalies")).toEqual([0, 1, 4, 0]);
    expect(merged.texts("state")).toEqual(["closed", "closed", null, null]);
    expect(merged.numbers("extra")).toEqual([null, null, 1, 2]);
    expect(table.layers).toEqual([2, 3, 5]);
  });
  it("are stepped through, over gaps", () => {
    expect([table.step(3, 1), table.step(5, 1), table.step(2, -4), table.step(4, 0)]).toEqual([5, 5, 2, 5]);
    expect([table.withAnomalies(2, 1), table.withAnomalies(3, 1), table.withAnomalies(5, -1)]).toEqual([3, null, 3]);
  });
  it("are found in the strip where they were drawn", () => {
    for (const layer of [0, 1, 2500, 4999]) {
      const [x, wide] = placeOf(layer, 1317, [0, 4999]);
      expect(layerAt(x + wide / 2, 1317, [0, 4999])).toBe(layer);
    }
    expect(layerAt(-5, 100, [0, 9])).toBe(0);
    expect(layerAt(500, 100, [0, 9])).toBe(9);
  });
});

it("data are fresh while they come, whatever their clock says", () => {
  const memory = new Arrivals();
  const told = (last: number, now: number, phase: string | null) =>
    freshness({ id: "S", last_timestamp: last, phase }, now, memory);
  // A replay of an old log: each look finds newer records.
  expect([told(100, 5000, "active"), told(105, 5001, "active")]).toEqual(["fresh", "fresh"]);
  expect([told(105, 5020, "active"), told(105, 5070, "active")]).toEqual(["late", "missing"]);
  expect([told(106, 5071, "active"), told(106, 5072, "silent"), told(106, 5072, "quiet")]).toEqual([
    "fresh", "missing", "ended",
  ]);
  expect([told(5060, 5075, "silent"), told(5070, 5075, "silent")]).toEqual(["late", "fresh"]);
});

it("a limit is kept or broken by the lowest and highest", () => {
  const rule = { channel: "t", threshold: 5, unit: "", anomaly_type: "x", severity: "info" } as const;
  expect(keeps({ ...rule, op: ">" }, 0, 5)).toBe(true);
  expect(keeps({ ...rule, op: ">=" }, 0, 5)).toBe(false);
  expect(keeps({ ...rule, op: "<" }, 4, 9)).toBe(false);
  expect(keeps({ ...rule, op: "<" }, null, 9)).toBeNull();
});

it("trends find rows and layers by time", () => {
  expect([nearestRow([], 1), nearestRow([1, 2, 4], 3.1), nearestRow([1, 2, 4], -9)]).toEqual([-1, 2, 0]);
  const series = { field: "t", unit: "", rows: 3, downsampled: false, timestamp: [1, 2, 3], value: [0, 0, 0], layer: [0, 1, 1], limits: [] };
  expect(spanOfLayer(series, 1)).toEqual([2, 3]);
  expect(spanOfLayer(series, 9)).toBeNull();
});
