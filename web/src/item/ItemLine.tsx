// Takes an item; gives the line below its title: type, creators, genres.

import type { ReactNode } from "react";
import type { ItemSummary } from "../api/types";
import { TypeName } from "../types/icons";

const MOST_NAMES = 3;

export function ItemLine({ item }: { item: ItemSummary }): ReactNode {
  const genres = item.genres.slice(0, MOST_NAMES).join(", ");
  const creators = item.creators.slice(0, MOST_NAMES).join(", ");
  return (
    <span className="item-line">
      <TypeName type={item.item_type} />
      {creators !== "" && <span>{creators}</span>}
      {genres !== "" && <span className="muted">{genres}</span>}
    </span>
  );
}
