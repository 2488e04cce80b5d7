import { describe, expect, it } from "vitest";
import type { ItemSummary } from "../api/types";
import { examplesFrom } from "./examples";

function items(type: string, names: string): ItemSummary[] {
  return [...names].map((name) => ({
    item_id: name,
    item_type: type,
    title: name,
    creators: [],
    genres: [],
  }));
}

describe("examples", () => {
  it("begin with the most popular of each type, then go through the types without it", () => {
    const popular = new Map([
      ["Book", items("Book", "abcd")],
      ["Movie", items("Movie", "uvwx")],
    ]);
    const read = examplesFrom(popular).map(({ name, items }) => [
      name,
      items.map(({ item_id }) => item_id).join(""),
    ]);
    expect(read).toEqual([
      ["A bit of each", "au"],
      ["Books", "bcd"],
      ["Movies", "vwx"],
    ]);
  });

  it("leave out what would be no session of two items", () => {
    expect(examplesFrom(new Map([["Book", items("Book", "ab")]]))).toEqual([]);
    expect(examplesFrom(new Map())).toEqual([]);
  });
});
