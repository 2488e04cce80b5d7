import { beforeEach, describe, expect, it } from "vitest";
import { readSession, saveSession } from "./saved";
import { afterDeed, EMPTY_SESSION } from "./session";

const DUNE = {
  item_id: "Book_Dune",
  item_type: "Book",
  title: "Dune <b>&",
  creators: ["Frank Herbert"],
  genres: [],
};

describe("a saved session", () => {
  beforeEach(() => localStorage.clear());

  it("comes back with items and dismissals, and without deeds to undo", () => {
    const added = afterDeed(EMPTY_SESSION, { kind: "add", item: DUNE });
    const session = afterDeed(added, { kind: "dismiss", item: { ...DUNE, item_id: "Book_It" } });
    saveSession(session);
    expect(readSession()).toEqual({
      items: [DUNE],
      dismissed: [{ ...DUNE, item_id: "Book_It" }],
      past: [],
      announcement: "",
    });
  });

  it.each([
    ["nothing", null],
    ["no JSON", "{"],
    ["a number", "7"],
    ["items that are no list", '{"items": "x"}'],
    ["an item without a title", '{"items": [{"item_id": "a", "item_type": "Book"}]}'],
  ])("is empty where %s was saved", (_, saved) => {
    if (saved !== null) localStorage.setItem("crossrec.session", saved);
    expect(readSession()).toEqual(EMPTY_SESSION);
  });

  it("holds an item once", () => {
    localStorage.setItem("crossrec.session", JSON.stringify({ items: [DUNE, DUNE] }));
    expect(readSession().items).toEqual([DUNE]);
  });
});
