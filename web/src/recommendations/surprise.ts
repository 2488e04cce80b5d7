// Takes a session and the model's types; gives the types that would surprise, and says why.

import type { ItemSummary } from "../api/types";
import { typePlural } from "../types/names";

export interface Surprise {
  types: readonly string[];
  sentence: string;
}

/**
 * Types that the session lacks; where it has all of them, those it has least of; where it has
 * as many of each, the one that came up longest ago. Null where there is nothing to differ from.
 */
export function surpriseTypes(
  session: readonly ItemSummary[],
  types: readonly string[],
): Surprise | null {
  if (session.length === 0 || types.length < 2) return null;
  const counts = types.map((type) => session.filter((item) => item.item_type === type).length);
  const fewest = Math.min(...counts);
  const rarest = types.filter((_, place) => counts[place] === fewest);
  if (fewest === 0) {
    if (rarest.length === types.length) return null;
    return {
      types: rarest,
      sentence: `Your session has no ${inWords(rarest, "or")} yet, so only those are recommended.`,
    };
  }
  if (rarest.length < types.length) {
    return {
      types: rarest,
      sentence: `Your session has least of ${inWords(rarest, "and")}, so only those are recommended.`,
    };
  }
  const lastPlaces = types.map((type) => session.findLastIndex((item) => item.item_type === type));
  const oldest = types.filter((_, place) => lastPlaces[place] === Math.min(...lastPlaces));
  return {
    types: oldest,
    sentence:
      `Your session has as many of each type; ${inWords(oldest, "and")} came up longest ago, ` +
      "so only those are recommended.",
  };
}

function inWords(types: readonly string[], joint: "and" | "or"): string {
  const names = types.map((type) => typePlural(type).toLowerCase());
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} ${joint} ${names.at(-1)}`;
}
