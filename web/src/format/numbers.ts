// Takes figures; gives the text that people read.

import type { Figure } from "../api/types";

const NO_BREAK = "\u00a0";

/** A share in per cent with one decimal: 0.3125 → "31.3 %"; below one per cent with two. */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value.toFixed(value !== 0 && Math.abs(value) < 1 ? 2 : 1)}${NO_BREAK}%`;
}

/** A share in whole per cent; a share that is not nothing never reads as nothing. */
export function wholePercent(share: number): string {
  if (share > 0 && share < 0.01) return `<${NO_BREAK}1${NO_BREAK}%`;
  return `${Math.round(100 * share)}${NO_BREAK}%`;
}

/** A mean reciprocal rank or gain, three decimals. */
export function decimal(value: number): string {
  return value.toFixed(3);
}

export function wholeNumber(value: number): string {
  return value.toLocaleString("en");
}

/** The bounds of a 95 % interval, or nothing where there is none. */
export function interval(figure: Figure, format: (value: number) => string): string {
  if (figure.low === null || figure.high === null) return "";
  const low = format(figure.low);
  const high = format(figure.high);
  return low.endsWith("%") && high.endsWith("%")
    ? `${low.slice(0, -1).trim()} to ${high}`
    : `${low} to ${high}`;
}

/** How many times chance a figure is: "24", "1.3"; nothing where chance is nothing. */
export function timesChance(value: number, chance: number): string {
  if (chance <= 0) return "";
  const times = value / chance;
  return times < 10 ? times.toFixed(1) : wholeNumber(Math.round(times));
}

/** "2023-06-01" or "2023-06-01T12:00:00Z" as "1 June 2023"; what is no date stays as it is. */
export function longDate(text: string): string {
  // Left to itself, Date finds a day in almost anything: "about 1900" is 1 January to it.
  const date = new Date(/^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? text : Number.NaN);
  if (Number.isNaN(date.getTime())) return text;
  return date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
}

export function countOf(n: number, one: string, many: string): string {
  return `${wholeNumber(n)} ${n === 1 ? one : many}`;
}
