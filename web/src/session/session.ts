// Takes what a person does with the session; gives the session after it, with a way back.

import type { ItemSummary } from "../api/types";

/** What undo brings back. */
interface Moment {
  readonly items: readonly ItemSummary[];
  readonly dismissed: readonly ItemSummary[];
  readonly deed: string;
}

export interface Session {
  /** Oldest first, each item once. */
  readonly items: readonly ItemSummary[];
  /** Not to be recommended, latest first. */
  readonly dismissed: readonly ItemSummary[];
  readonly past: readonly Moment[];
  /** What happened last, in words for a screen reader. */
  readonly announcement: string;
}

export type Deed =
  | { kind: "add"; item: ItemSummary }
  | { kind: "remove"; itemId: string }
  | { kind: "move"; itemId: string; to: number }
  | { kind: "clear" }
  | { kind: "start"; items: readonly ItemSummary[] }
  | { kind: "dismiss"; item: ItemSummary }
  | { kind: "restore"; itemId: string }
  | { kind: "undo" };

const MOST_UNDONE = 50;

export const EMPTY_SESSION: Session = { items: [], dismissed: [], past: [], announcement: "" };

export function afterDeed(session: Session, deed: Deed): Session {
  switch (deed.kind) {
    case "add":
      return add(session, summaryOf(deed.item));
    case "remove": {
      const item = session.items.find((other) => other.item_id === deed.itemId);
      if (!item) return session;
      const items = without(session.items, deed.itemId);
      return change(session, { items }, `Removed ${item.title}.`);
    }
    case "move":
      return move(session, deed.itemId, deed.to);
    case "clear":
      if (session.items.length === 0) return session;
      return change(session, { items: [] }, `Cleared the session of ${count(session.items)}.`);
    case "start":
      return change(
        session,
        { items: deed.items.map(summaryOf) },
        `Started a session of ${count(deed.items)}.`,
      );
    case "dismiss": {
      const item = summaryOf(deed.item);
      const dismissed = [item, ...without(session.dismissed, item.item_id)];
      return change(session, { dismissed }, `${item.title} will not be recommended.`);
    }
    case "restore": {
      const item = session.dismissed.find((other) => other.item_id === deed.itemId);
      if (!item) return session;
      const dismissed = without(session.dismissed, deed.itemId);
      return change(session, { dismissed }, `${item.title} may be recommended again.`);
    }
    case "undo":
      return undo(session);
  }
}

function add(session: Session, item: ItemSummary): Session {
  const items = [...without(session.items, item.item_id), item];
  const was = session.items.some((other) => other.item_id === item.item_id);
  const said = was
    ? `Moved ${item.title} to the end.`
    : `Added ${item.title} as number ${items.length}.`;
  // Who adds what they had dismissed has changed their mind.
  return change(session, { items, dismissed: without(session.dismissed, item.item_id) }, said);
}

function move(session: Session, itemId: string, to: number): Session {
  const from = session.items.findIndex((item) => item.item_id === itemId);
  const place = Math.min(Math.max(to, 0), session.items.length - 1);
  const item = session.items[from];
  if (!item || place === from) return session;
  const items = session.items.toSpliced(from, 1).toSpliced(place, 0, item);
  return change(session, { items }, `${item.title} is now number ${place + 1} of ${items.length}.`);
}

function undo(session: Session): Session {
  const moment = session.past.at(-1);
  if (!moment) return session;
  return {
    items: moment.items,
    dismissed: moment.dismissed,
    past: session.past.slice(0, -1),
    announcement: `Undone: ${moment.deed}`,
  };
}

function change(
  session: Session,
  parts: Partial<Pick<Session, "items" | "dismissed">>,
  announcement: string,
): Session {
  const { items, dismissed, past } = session;
  const moment = { items, dismissed, deed: announcement };
  return {
    items,
    dismissed,
    ...parts,
    past: [...past, moment].slice(-MOST_UNDONE),
    announcement,
  };
}

function without(items: readonly ItemSummary[], itemId: string): readonly ItemSummary[] {
  return items.filter((item) => item.item_id !== itemId);
}

function count(items: readonly ItemSummary[]): string {
  return items.length === 1 ? "1 item" : `${items.length} items`;
}

/** Leave out what a recommendation or a search says beyond the item. */
function summaryOf({ item_id, item_type, title, creators, genres }: ItemSummary): ItemSummary {
  return { item_id, item_type, title, creators, genres };
}
