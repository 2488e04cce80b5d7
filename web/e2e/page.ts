// What the tests do on the page in the words of a person.

import { expect, type Locator, type Page } from "@playwright/test";

export const FIGURES = "#how-good";

export interface Item {
  item_id: string;
  item_type: string;
  title: string;
  creators: string[];
  genres: string[];
}

/** Items that the served model knows, most popular first, alternating by type. */
export async function popularItems(page: Page, n: number): Promise<Item[]> {
  const response = await page.request.post("/v1/recommendations", {
    data: { session: [], top_k: n },
  });
  return (await response.json()).items;
}

export function searchBox(page: Page): Locator {
  return page.getByRole("combobox", { name: /Add what you liked/ });
}

export function options(page: Page): Locator {
  return page.getByRole("listbox", { name: "Found items" }).getByRole("option");
}

export function cards(page: Page): Locator {
  return page.locator(".strip > .card");
}

export function results(page: Page): Locator {
  return page.locator("ol.results > .result");
}

export async function titlesOf(list: Locator): Promise<string[]> {
  return list.locator(".title").allTextContents();
}

/** Wait for the list that answers the session as it is now. */
export async function settled(page: Page): Promise<void> {
  await expect(page.locator(".recommendations")).toHaveAttribute("aria-busy", "false");
  await expect(results(page).first()).toBeVisible();
}

/** Type a title and take the option of that very item. */
export async function addBySearch(page: Page, item: Item): Promise<void> {
  const n = await cards(page).count();
  await searchBox(page).fill(item.title);
  const option = page.getByRole("option", { name: `${item.title} ${item.item_type}` }).first();
  await option.click();
  await expect(cards(page)).toHaveCount(n + 1);
}

/** Open the page with a session of the n most popular items. */
export async function openWithSession(page: Page, n: number): Promise<Item[]> {
  const items = await popularItems(page, n);
  await page.addInitScript(
    (saved) => {
      if (!localStorage.getItem("crossrec.session"))
        localStorage.setItem("crossrec.session", saved);
    },
    JSON.stringify({ items, dismissed: [] }),
  );
  await page.goto("/");
  await expect(cards(page)).toHaveCount(n);
  await settled(page);
  return items;
}
