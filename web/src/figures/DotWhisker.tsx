// Takes a figure, its axis and what chance would reach; gives a drawing beside the numbers in text.

import type { ReactNode } from "react";
import type { Figure } from "../api/types";
import type { Scale } from "./scale";

const WIDTH = 340;
const HEIGHT = 24;
const MARGIN = 8;

interface Props {
  figure: Figure;
  scale: Scale;
  chance: number | null;
  isServed: boolean;
}

export function DotWhisker({ figure, scale, chance, isServed }: Props): ReactNode {
  const middle = HEIGHT / 2;
  const dot = along(figure.value, scale);
  return (
    <svg
      className={isServed ? "plot is-served" : "plot"}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
    >
      {scale.ticks.map((tick) => (
        <line
          key={tick}
          className="plot-tick"
          x1={along(tick, scale)}
          x2={along(tick, scale)}
          y2={HEIGHT}
        />
      ))}
      {chance !== null && (
        <line
          className="plot-chance"
          x1={along(chance, scale)}
          x2={along(chance, scale)}
          y2={HEIGHT}
        />
      )}
      {figure.low !== null && figure.high !== null && (
        <path
          className="plot-whisker"
          d={
            `M${along(figure.low, scale)} ${middle}H${along(figure.high, scale)}` +
            `M${along(figure.low, scale)} ${middle - 5}v10` +
            `M${along(figure.high, scale)} ${middle - 5}v10`
          }
        />
      )}
      {isServed ? (
        <path className="plot-dot" d={`M${dot} ${middle - 6}l6 6-6 6-6-6z`} />
      ) : (
        <circle className="plot-dot" cx={dot} cy={middle} r="4.5" />
      )}
    </svg>
  );
}

export function Axis({ scale, format }: { scale: Scale; format: (value: number) => string }) {
  return (
    <svg className="plot plot-axis" viewBox={`0 0 ${WIDTH} 24`} aria-hidden="true">
      {scale.ticks.map((tick, place) => (
        <text
          key={tick}
          x={along(tick, scale)}
          y="17"
          textAnchor={place === 0 ? "start" : place === scale.ticks.length - 1 ? "end" : "middle"}
        >
          {format(tick)}
        </text>
      ))}
    </svg>
  );
}

function along(value: number, scale: Scale): number {
  return MARGIN + (value / scale.end) * (WIDTH - 2 * MARGIN);
}
