// Takes the dismissed items; gives a way to let each be recommended again.

import type { ReactNode } from "react";
import type { ItemSummary } from "../api/types";
import { Icon, TypeIcon } from "../types/icons";

interface Props {
  items: readonly ItemSummary[];
  onRestore: (itemId: string) => void;
}

export function Dismissed({ items, onRestore }: Props): ReactNode {
  if (items.length === 0) return null;
  return (
    <details className="dismissed">
      <summary>
        Dismissed <span className="count">{items.length}</span> <Icon name="more" />
      </summary>
      <ul>
        {items.map((item) => (
          <li key={item.item_id}>
            <TypeIcon type={item.item_type} />
            <span className="title">{item.title}</span>
            <button
              type="button"
              className="button button-quiet"
              aria-label={`Recommend ${item.title} again`}
              onClick={() => onRestore(item.item_id)}
            >
              Bring back
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
