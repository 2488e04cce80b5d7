// Takes the items that are near one by their words; gives a list of each type, to open them.

import type { ReactNode } from "react";
import type { ItemSummary, SimilarItems } from "../api/types";
import { typePlural } from "../types/names";

interface Props {
  similar: readonly SimilarItems[];
  onOpen: (item: ItemSummary) => void;
}

export function Near({ similar, onOpen }: Props): ReactNode {
  if (similar.length === 0) return null;
  return (
    <div className="near">
      {similar.map(({ item_type, items }) => (
        <section key={item_type} aria-labelledby={`near-${item_type}`}>
          <h3 id={`near-${item_type}`}>Near in {typePlural(item_type).toLowerCase()}</h3>
          <ul className="near-items">
            {items.map((item) => (
              <li key={item.item_id}>
                <button type="button" className="title-button" onClick={() => onOpen(item)}>
                  <span className="title">{item.title}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}
