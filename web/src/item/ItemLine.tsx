// Takes an item; gives the line below its title: type, creators, genres.

import type { ReactNode } from "react";
import type { ItemSummary } from "../api/types";
import { TypeName } from "../types/icons";

const MOST_GENRES = 3;

export function ItemLine({ item }: { item: ItemSummary }): ReactNode {
  const genres = item.genres.slice(0, MOST_GENRES).join(", ");
  return (
    <span className="item-line">
      <TypeName type={item.item_type} />
      {item.creators.length > 0 && <span>{item.creators.join(", ")}</span>}
      {genres !== "" && <span className="muted">{genres}</span>}
    </span>
  );
}
