import { describe, expect, it } from "vitest";
import { heatStep, scaleFor } from "./scale";

function figure(value: number, high: number | null = null) {
  return { value, low: null, high };
}

describe("an axis", () => {
  it("starts at nothing and ends at a round number above the highest bound", () => {
    // 0.348 / 4 = 0.087, rounded up to steps of 0.1.
    const { end, ticks } = scaleFor([figure(0.1), figure(0.34, 0.348)]);
    expect(end).toBeCloseTo(0.4);
    expect(ticks.map((tick) => Number(tick.toFixed(3)))).toEqual([0, 0.1, 0.2, 0.3, 0.4]);
  });

  it("ends at a value that is round itself", () => {
    expect(scaleFor([figure(0.2)]).end).toBeCloseTo(0.2);
  });

  it("has a length where there is nothing to draw", () => {
    expect(scaleFor([]).end).toBe(1);
    expect(scaleFor([figure(0)]).end).toBe(1);
  });

  it.each([0.0007, 0.013, 0.31, 0.99, 3.7])("holds %f within five or fewer steps", (value) => {
    const { end, ticks } = scaleFor([figure(value)]);
    expect(end).toBeGreaterThanOrEqual(value - 1e-9);
    expect(ticks.length).toBeLessThanOrEqual(6);
  });
});

describe("the heat of a cell", () => {
  it("rises in even steps, the least value in the first one and the largest in the last", () => {
    // From 0.2 to 0.8 in six steps of 0.1.
    const values = [0.2, 0.29, 0.31, 0.75, 0.8];
    expect(values.map((value) => heatStep(value, values, 6))).toEqual([0, 0, 1, 5, 5]);
  });

  it("is least where all cells are alike", () => {
    expect(heatStep(0.3, [0.3, 0.3], 6)).toBe(0);
    expect(heatStep(0, [0], 6)).toBe(0);
  });
});
