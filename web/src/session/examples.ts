// Takes the popular items of each type; gives sessions to start from.

import { recommend } from "../api/client";
import type { ItemSummary } from "../api/types";
import { typePlural } from "../types/names";

export interface Example {
  readonly name: string;
  readonly items: readonly ItemSummary[];
}

const PER_TYPE = 4;

/** Ask for the most popular items of each type: what an empty session is answered with. */
export async function findExamples(
  types: readonly string[],
  signal: AbortSignal,
): Promise<readonly Example[]> {
  const answers = await Promise.all(
    types.map((type) =>
      recommend(
        {
          session: [],
          top_k: PER_TYPE,
          types: [type],
          exclude_seen: true,
          exclude: [],
          explain: false,
        },
        signal,
      ),
    ),
  );
  return examplesFrom(new Map(types.map((type, place) => [type, answers[place]?.items ?? []])));
}

/** One example across the types, of the best of each, then one of each type's next best. */
export function examplesFrom(
  popular: ReadonlyMap<string, readonly ItemSummary[]>,
): readonly Example[] {
  const across = [...popular.values()].flatMap((items) => items.slice(0, 1));
  const single = [...popular].map(([type, items]) => ({
    name: typePlural(type),
    items: items.slice(1, PER_TYPE),
  }));
  return [{ name: "A bit of each", items: across }, ...single].filter(
    ({ items }) => items.length > 1,
  );
}
