import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { FoundItem } from "../api/types";
import { SearchBox } from "./SearchBox";

function found(name: string, recommendable = true): FoundItem {
  return {
    item_id: `Book_${name}`,
    item_type: "Book",
    title: name,
    creators: [],
    genres: [],
    recommendable,
  };
}

const queries: string[] = [];
let picked: string[] = [];
let said: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  queries.length = 0;
  picked = [];
  said = [];
  vi.stubGlobal("fetch", async (path: string) => {
    queries.push(new URLSearchParams(path.split("?")[1]).get("q") ?? "");
    return Response.json({ items: [found("Dune"), found("Rare", false), found("Emma")] });
  });
  render(
    <SearchBox
      types={["Book"]}
      sessionIds={new Set(["Book_Emma"])}
      onPick={(item) => picked.push(item.title)}
      onAnnounce={(words) => said.push(words)}
    />,
  );
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

function box(): HTMLInputElement {
  return screen.getByRole("combobox", { name: /Add what you liked/ });
}

async function type(text: string, pauseMs = 200): Promise<void> {
  fireEvent.change(box(), { target: { value: text } });
  await act(() => vi.advanceTimersByTimeAsync(pauseMs));
}

function press(...keys: string[]): void {
  for (const key of keys) fireEvent.keyDown(box(), { key });
}

function activeOption(): string | undefined {
  const id = box().getAttribute("aria-activedescendant");
  return id === null ? undefined : document.getElementById(id)?.textContent;
}

it("asks once for what is typed without a pause", async () => {
  await type("d", 50);
  await type("du", 50);
  await type("dune");
  expect(queries).toEqual(["dune"]);
});

it("goes round the options with the arrows and picks with Enter", async () => {
  await type("dune");
  press("ArrowDown");
  expect(activeOption()).toContain("Dune");
  press("ArrowUp");
  expect(activeOption()).toContain("Emma");
  press("ArrowDown", "Enter");
  expect(picked).toEqual(["Dune"]);
  expect(box().value).toBe("");
});

it("picks the best option where none was chosen", async () => {
  await type("dune");
  press("Enter");
  expect(picked).toEqual(["Dune"]);
});

it("does not pick what the model does not know, and says why", async () => {
  await type("rare");
  press("ArrowDown", "ArrowDown");
  expect(activeOption()).toContain("came up too rarely");
  press("Enter");
  expect(picked).toEqual([]);
  expect(said).toEqual(["Rare cannot be added: the model does not know it."]);
});

it("closes on the first Escape and empties the field on the second", async () => {
  await type("dune");
  expect(box().getAttribute("aria-expanded")).toBe("true");
  press("Escape");
  expect(box().getAttribute("aria-expanded")).toBe("false");
  expect(box().value).toBe("dune");
  press("Escape");
  expect(box().value).toBe("");
});

it("marks what is in the session already", async () => {
  await type("emma");
  expect(screen.getByRole("option", { name: /Emma/ }).textContent).toContain("in session");
});
