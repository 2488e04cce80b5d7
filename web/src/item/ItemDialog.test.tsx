import { cleanup, render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { type ReactNode, useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ItemDetail, ItemSummary } from "../api/types";
import { ItemDialog } from "./ItemDialog";

function summary(item_id: string): ItemSummary {
  const [item_type = "", title = ""] = item_id.split("_");
  return { item_id, item_type, title, creators: [], genres: [] };
}

function detail(item_id: string, similar: Record<string, string[]>): ItemDetail {
  return {
    ...summary(item_id),
    recommendable: true,
    description: `About ${item_id}`,
    release_date: null,
    popularity: null,
    train_events: 3,
    similar: Object.entries(similar).map(([item_type, ids]) => ({
      item_type,
      items: ids.map(summary),
    })),
  };
}

const DETAILS: Record<string, ItemDetail> = {
  Movie_Dune: detail("Movie_Dune", {
    Book: ["Book_Dune", "Book_Foundation"],
    Movie: ["Movie_Arrival"],
    Podcast: ["Podcast_Sand"],
  }),
  Book_Dune: detail("Book_Dune", { Movie: ["Movie_Dune"] }),
  Movie_Lonely: detail("Movie_Lonely", {}),
};

let added: string[] = [];
let waiting: Promise<void> | null = null;

beforeEach(() => {
  added = [];
  waiting = null;
  vi.stubGlobal("fetch", async (path: string) => {
    await waiting;
    return Response.json(DETAILS[decodeURIComponent(path.replace("v1/items/", ""))]);
  });
});

afterEach(cleanup);

function Opened({ itemId }: { itemId: string }): ReactNode {
  const [item, setItem] = useState(summary(itemId));
  return (
    <ItemDialog
      item={item}
      isInSession={false}
      onAdd={({ item_id }) => added.push(item_id)}
      onOpen={setItem}
      onClose={() => {}}
    />
  );
}

function titles(region: string): (string | null)[] {
  const section = screen.getByRole("region", { name: region });
  return within(section)
    .getAllByRole("button")
    .map((button) => button.textContent);
}

it("tells what is near an item, by type, in the order of the service", async () => {
  render(<Opened itemId="Movie_Dune" />);
  await screen.findByText("About Movie_Dune");
  expect(titles("Near in books")).toEqual(["Dune", "Foundation"]);
  expect(titles("Near in movies")).toEqual(["Arrival"]);
  expect(titles("Near in podcast")).toEqual(["Sand"]);
});

it("says nothing of what is near where nothing is", async () => {
  render(<Opened itemId="Movie_Lonely" />);
  await screen.findByText("About Movie_Lonely");
  expect(screen.queryByText(/^Near in/)).toBeNull();
});

it("opens a near item in its place, with its title in focus", async () => {
  render(<Opened itemId="Movie_Dune" />);
  const button = await screen.findByRole("button", { name: "Dune" });
  await userEvent.click(button);
  await screen.findByText("About Book_Dune");
  expect(screen.getAllByRole("dialog")).toHaveLength(1);
  expect(document.activeElement).toBe(screen.getByRole("heading", { level: 2, name: "Dune" }));
  await userEvent.click(screen.getByRole("button", { name: "Add to session" }));
  expect(added).toEqual(["Book_Dune"]);
});

it("shows nothing of the item before while the next one is asked for", async () => {
  render(<Opened itemId="Movie_Dune" />);
  const button = await screen.findByRole("button", { name: "Foundation" });
  const answers: (() => void)[] = [];
  waiting = new Promise((resolve) => {
    answers.push(resolve);
  });
  DETAILS.Book_Foundation = detail("Book_Foundation", {});
  await userEvent.click(button);
  expect(screen.getByRole("heading", { level: 2 }).textContent).toBe("Foundation");
  expect(screen.queryByText("About Movie_Dune")).toBeNull();
  expect(screen.queryByText(/^Near in/)).toBeNull();
  expect(screen.queryByRole("button", { name: "Add to session" })).toBeNull();
  answers[0]?.();
  await screen.findByText("About Book_Foundation");
});
