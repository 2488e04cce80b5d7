// The page's drawings. All are decoration beside words, so none is read aloud.

import type { ReactNode } from "react";
import { typeTone } from "./names";

const PATHS = {
  movie: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.7h4M4 14.3h4M16 9.7h4M16 14.3h4",
  music:
    "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0ZM19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0Z",
  book: "M5 4.5h6a2 2 0 0 1 1 .5 2 2 0 0 1 1-.5h6V18h-6a1.5 1.5 0 0 0-1 .5 1.5 1.5 0 0 0-1-.5H5zM12 5v13.5",
  other: "M12 4l8 8-8 8-8-8z",
  search: "M16.2 16.2 20 20M18 11a7 7 0 1 1-14 0 7 7 0 0 1 14 0Z",
  earlier: "M12 19V6M6 11l6-6 6 6",
  later: "M12 5v13M6 13l6 6 6-6",
  remove: "M6 6l12 12M18 6 6 18",
  add: "M12 5v14M5 12h14",
  undo: "M8 5 4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11H9",
  grip: "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01",
  sun: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0ZM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z",
  sparkle: "M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8zM18.5 16v4M16.5 18h4",
  less: "M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0ZM6.5 6.5l11 11",
  more: "M7 10l5 5 5-5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): ReactNode {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function TypeIcon({ type }: { type: string }): ReactNode {
  const tone = typeTone(type);
  return (
    <span className={`type-icon tone-${tone}`}>
      <Icon name={tone} />
    </span>
  );
}

/** The type in words and colour. */
export function TypeName({ type }: { type: string }): ReactNode {
  return <span className={`type-name tone-${typeTone(type)}`}>{type}</span>;
}
