import { describe, expect, it } from "vitest";
import type { ItemSummary } from "../api/types";
import { surpriseTypes } from "./surprise";

const TYPES = ["Book", "Movie", "Music"];

function session(...types: string[]): ItemSummary[] {
  return types.map((item_type, place) => ({
    item_id: `${item_type} ${place}`,
    item_type,
    title: "",
    creators: [],
    genres: [],
  }));
}

describe("a surprise", () => {
  it("is of all types that the session lacks", () => {
    expect(surpriseTypes(session("Movie", "Movie"), TYPES)).toEqual({
      types: ["Book", "Music"],
      sentence: "Your session has no books or music yet, so only those are recommended.",
    });
  });

  it("is of the rarest types where none is lacking", () => {
    // Two movies, one book, one piece of music.
    expect(surpriseTypes(session("Movie", "Book", "Movie", "Music"), TYPES)).toEqual({
      types: ["Book", "Music"],
      sentence: "Your session has least of books and music, so only those are recommended.",
    });
  });

  it("is of the type longest ago where all are as many", () => {
    expect(surpriseTypes(session("Music", "Book", "Movie"), TYPES)?.types).toEqual(["Music"]);
    // The last book is at 1, the last music at 3, the last movie at 5.
    const each = session("Book", "Book", "Music", "Music", "Movie", "Movie");
    expect(surpriseTypes(each, TYPES)?.types).toEqual(["Book"]);
  });

  it("never is of a type that the session has most of", () => {
    const most = session("Movie", "Movie", "Movie", "Book", "Music");
    expect(surpriseTypes(most, TYPES)?.types).not.toContain("Movie");
  });

  it("is none where there is nothing to differ from", () => {
    expect(surpriseTypes([], TYPES)).toBeNull();
    expect(surpriseTypes(session("Movie"), ["Movie"])).toBeNull();
    expect(surpriseTypes(session("Game"), TYPES)).toBeNull();
  });
});
