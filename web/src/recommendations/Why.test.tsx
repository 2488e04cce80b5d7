import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import type { Shared } from "../api/types";
import { Why } from "./Why";

afterEach(cleanup);

function common(kind: Shared["kind"], value: string): Shared {
  return { kind, value, item_id: "Book_Dune", title: "Dune" };
}

it("says what a recommendation has in common with the session", () => {
  const shared = [
    common("story", "the movie of the book"),
    common("edition", "another version of"),
    common("creator", "Frank Herbert"),
    common("genre", "Science Fiction"),
  ];
  render(<Why explanation={{ sentence: "The movie of the book Dune.", because: [], shared }} />);
  const items = screen.getAllByRole("listitem", { hidden: true });
  expect(items.map((item) => item.textContent)).toEqual([
    "The movie of the book Dune",
    "Another version of Dune",
    "Creator Frank Herbert, like Dune",
    "Genre Science Fiction, like Dune",
  ]);
});
