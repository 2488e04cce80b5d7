// Takes figures to be drawn; gives the axis that holds them all.

import type { Figure } from "../api/types";

export interface Scale {
  readonly end: number;
  readonly ticks: readonly number[];
}

const MOST_TICKS = 5;

/** An axis from nothing to a round number at or above the largest bound. */
export function scaleFor(figures: readonly Figure[]): Scale {
  const largest = Math.max(0, ...figures.map((figure) => figure.high ?? figure.value));
  if (largest === 0) return { end: 1, ticks: [0, 1] };
  const step = roundStep(largest / (MOST_TICKS - 1));
  const nSteps = Math.ceil(largest / step - 1e-9);
  const ticks = Array.from({ length: nSteps + 1 }, (_, place) => place * step);
  return { end: nSteps * step, ticks };
}

/** The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is at least `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 2.5, 5].find((round) => round * power >= least - 1e-12);
  return (step ?? 10) * power;
}

/** Strength of a heat map's cell, 0 to `steps - 1`, in even steps from the least to the largest. */
export function heatStep(value: number, values: readonly number[], steps: number): number {
  const least = Math.min(...values);
  const width = Math.max(...values) - least;
  if (width <= 0) return 0;
  return Math.min(steps - 1, Math.floor(((value - least) / width) * steps));
}
