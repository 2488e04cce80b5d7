import { describe, expect, it } from "vitest";
import {
  countOf,
  decimal,
  interval,
  longDate,
  percent,
  timesChance,
  wholeNumber,
  wholePercent,
} from "./numbers";

/** Numbers stay on one line with their unit; tests read better with plain spaces. */
function plain(text: string): string {
  return text.replaceAll("\u00a0", " ");
}

describe("a share", () => {
  it.each([
    [0.3125, "31.3 %"],
    [1, "100.0 %"],
    [0, "0.0 %"],
    [0.00647, "0.65 %"],
  ])("of %f reads %s", (share, text) => expect(plain(percent(share))).toBe(text));

  it.each([
    [0.314, "31 %"],
    [0, "0 %"],
    [0.004, "< 1 %"],
    [1, "100 %"],
  ])("of %f in whole per cent reads %s", (share, text) =>
    expect(plain(wholePercent(share))).toBe(text),
  );
});

describe("an interval", () => {
  it("names the unit once", () => {
    expect(plain(interval({ value: 0.31, low: 0.302, high: 0.318 }, percent))).toBe(
      "30.2 to 31.8 %",
    );
  });

  it("of a figure without a unit is its two bounds", () => {
    expect(interval({ value: 0.12, low: 0.1184, high: 0.1216 }, decimal)).toBe("0.118 to 0.122");
  });

  it("is nothing where there is none", () => {
    expect(interval({ value: 0.01, low: null, high: null }, percent)).toBe("");
  });
});

describe("times chance", () => {
  it.each([
    [0.31, 0.0129, "24"],
    [0.02, 0.0129, "1.6"],
    [0.5, 0, ""],
  ])("of %f against %f is %s", (value, chance, text) =>
    expect(timesChance(value, chance)).toBe(text),
  );
});

describe("dates and counts", () => {
  it("writes a date in words, whatever the time zone", () => {
    expect(longDate("2023-06-01")).toBe("1 June 2023");
    expect(longDate("2023-06-01T23:59:59+00:00")).toBe("1 June 2023");
  });

  it("leaves alone what is no date", () => expect(longDate("about 1900")).toBe("about 1900"));

  it("counts with the right word", () => {
    expect(countOf(1, "case", "cases")).toBe("1 case");
    expect(countOf(12345, "case", "cases")).toBe("12,345 cases");
    expect(wholeNumber(1545)).toBe("1,545");
  });
});
