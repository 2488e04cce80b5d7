// Takes a session; gives it back after a reload, from the browser's own storage.

import type { ItemSummary } from "../api/types";
import { EMPTY_SESSION, type Session } from "./session";

const PLACE = "crossrec.session";

export function saveSession({ items, dismissed }: Session): void {
  try {
    localStorage.setItem(PLACE, JSON.stringify({ items, dismissed }));
  } catch {
    // Storage is full or forbidden: the session then lives as long as the page.
  }
}

/** Read what was saved; anything that is not a session counts as an empty one. */
export function readSession(): Session {
  try {
    const saved: unknown = JSON.parse(localStorage.getItem(PLACE) ?? "null");
    if (typeof saved !== "object" || saved === null) return EMPTY_SESSION;
    const { items, dismissed } = saved as Record<string, unknown>;
    return { ...EMPTY_SESSION, items: readItems(items), dismissed: readItems(dismissed) };
  } catch {
    return EMPTY_SESSION;
  }
}

function readItems(saved: unknown): ItemSummary[] {
  if (!Array.isArray(saved)) return [];
  const items = saved.filter(isItem);
  return items.filter(
    (item, place) => items.findIndex((other) => other.item_id === item.item_id) === place,
  );
}

function isItem(saved: unknown): saved is ItemSummary {
  if (typeof saved !== "object" || saved === null) return false;
  const item = saved as Record<string, unknown>;
  return (
    [item.item_id, item.item_type, item.title].every((part) => typeof part === "string") &&
    [item.creators, item.genres].every(
      (part) => Array.isArray(part) && part.every((name) => typeof name === "string"),
    )
  );
}
