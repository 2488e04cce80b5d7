import { describe, expect, it } from "vitest";
import type { ItemSummary } from "../api/types";
import { afterDeed, type Deed, EMPTY_SESSION, type Session } from "./session";

function item(name: string): ItemSummary {
  return { item_id: name, item_type: "Book", title: `Title ${name}`, creators: [], genres: [] };
}

function sessionAfter(...deeds: Deed[]): Session {
  return deeds.reduce(afterDeed, EMPTY_SESSION);
}

function ids(items: readonly ItemSummary[]): string {
  return items.map(({ item_id }) => item_id).join("");
}

const A: Deed = { kind: "add", item: item("a") };
const B: Deed = { kind: "add", item: item("b") };
const C: Deed = { kind: "add", item: item("c") };
const UNDO: Deed = { kind: "undo" };

describe("a session", () => {
  it("keeps items in the order they were added", () => {
    expect(ids(sessionAfter(A, B, C).items)).toBe("abc");
  });

  it("holds an item once: adding it again moves it to the end", () => {
    const session = sessionAfter(A, B, A);
    expect(ids(session.items)).toBe("ba");
    expect(session.announcement).toBe("Moved Title a to the end.");
  });

  it("moves an item to a place counted without gaps", () => {
    expect(ids(sessionAfter(A, B, C, { kind: "move", itemId: "a", to: 1 }).items)).toBe("bac");
    expect(ids(sessionAfter(A, B, C, { kind: "move", itemId: "a", to: 2 }).items)).toBe("bca");
    expect(ids(sessionAfter(A, B, C, { kind: "move", itemId: "c", to: 0 }).items)).toBe("cab");
  });

  it("says where a moved item is now", () => {
    const session = sessionAfter(A, B, C, { kind: "move", itemId: "c", to: 0 });
    expect(session.announcement).toBe("Title c is now number 1 of 3.");
  });

  it("does not move an item beyond its ends, nor remember that as a deed", () => {
    const session = sessionAfter(A, B);
    expect(afterDeed(session, { kind: "move", itemId: "a", to: -1 })).toBe(session);
    expect(afterDeed(session, { kind: "move", itemId: "b", to: 2 })).toBe(session);
  });

  it("does nothing where there is nothing to do", () => {
    for (const deed of [
      { kind: "remove", itemId: "a" },
      { kind: "clear" },
      { kind: "restore", itemId: "a" },
      UNDO,
    ] satisfies Deed[]) {
      expect(afterDeed(EMPTY_SESSION, deed)).toBe(EMPTY_SESSION);
    }
  });

  it("keeps only what identifies an item", () => {
    const found = { ...item("a"), rank: 1, explanation: null };
    expect(sessionAfter({ kind: "add", item: found }).items).toEqual([item("a")]);
  });
});

describe("undo", () => {
  it.each<[string, Deed[], string]>([
    ["an added item", [A, B, UNDO], "a"],
    ["a removed item, in its place", [A, B, { kind: "remove", itemId: "a" }, UNDO], "ab"],
    ["a move", [A, B, { kind: "move", itemId: "b", to: 0 }, UNDO], "ab"],
    ["a cleared session", [A, B, { kind: "clear" }, UNDO], "ab"],
    ["an example over a session", [A, { kind: "start", items: [item("x")] }, UNDO], "a"],
    ["two deeds, latest first", [A, B, C, UNDO, UNDO], "a"],
  ])("takes back %s", (_, deeds, left) => {
    expect(ids(sessionAfter(...deeds).items)).toBe(left);
  });

  it("takes back a dismissal", () => {
    expect(sessionAfter({ kind: "dismiss", item: item("a") }, UNDO).dismissed).toEqual([]);
  });

  it("says what it took back", () => {
    expect(sessionAfter(A, { kind: "clear" }, UNDO).announcement).toBe(
      "Undone: Cleared the session of 1 item.",
    );
  });

  it("reaches fifty deeds back", () => {
    const many = Array.from({ length: 60 }, (_, n): Deed => ({ kind: "add", item: item(`${n} `) }));
    const undone = Array.from({ length: 60 }, (): Deed => UNDO);
    expect(sessionAfter(...many, ...undone).items).toHaveLength(10);
  });
});

describe("dismissed items", () => {
  it("come latest first, each once", () => {
    const session = sessionAfter(
      { kind: "dismiss", item: item("a") },
      { kind: "dismiss", item: item("b") },
      { kind: "dismiss", item: item("a") },
    );
    expect(ids(session.dismissed)).toBe("ab");
  });

  it("may be recommended again when they are brought back or added", () => {
    const dismissed = sessionAfter({ kind: "dismiss", item: item("a") });
    expect(afterDeed(dismissed, { kind: "restore", itemId: "a" }).dismissed).toEqual([]);
    expect(afterDeed(dismissed, A).dismissed).toEqual([]);
  });
});
