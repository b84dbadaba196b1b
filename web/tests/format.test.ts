import { describe, expect, it } from "vitest";
import { compact } from "../src/frame/compact";
import { age, bytes, duration, fixed, quantity, signed } from "../src/format";

describe("numbers", () => {
  it("groups digits, keeps decimals and shows a dash for what is not known", () => {
    expect(fixed(1234567.891, 1)).toBe("1\u202f234\u202f567.9");
    expect(fixed(null)).toBe("–");
    expect(fixed(Number.NaN, 3)).toBe("–");
    expect(fixed(-0.04, 1)).toBe("0.0");
    expect(fixed(-1.25, 2)).toBe("−1.25");
  });
  it("has signs and units", () => {
    expect(signed(0.0004, 3)).toBe("0.000");
    expect(signed(2, 1)).toBe("+2.0");
    expect(quantity(1700, "degC", 0)).toBe("1\u202f700\u202f°C");
    expect(quantity(null, "W")).toBe("–");
    expect(quantity(0.98, "1", 2)).toBe("0.98");
  });
  it("is short where room is", () => {
    expect([950, 999.9, 8123, 12_400_000].map(compact)).toEqual(["950", "1.0k", "8.1k", "12M"]);
    expect(bytes(18_432_100)).toBe("17.6\u202fMiB");
  });
});

describe("times", () => {
  it("says durations in two units at most", () => {
    expect([2.44, 59.9, 61, 120, 3600, 200_000].map(duration)).toEqual([
      "2.4 s", "59 s", "1 min 1 s", "2 min", "1 h 0 min", "2 d 7 h",
    ]);
  });
  it("says how long ago", () => {
    expect(age(100, 100.4)).toBe("now");
    expect(age(100, 103.7)).toBe("3 s ago");
    expect(age(null, 5)).toBe("–");
  });
});
