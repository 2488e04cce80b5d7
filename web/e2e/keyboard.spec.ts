import { expect, type Page } from "@playwright/test";
import { cards, popularItems, results, searchBox, settled, titlesOf } from "./page";
import { test } from "./test";

/** Press Tab until the named control has the focus, as somebody without a pointer does. */
async function tabTo(page: Page, selector: string, key = "Tab"): Promise<void> {
  for (let presses = 0; presses < 80; presses += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`No ${selector} was reached with the keyboard.`);
}

test("everything can be done without a pointer", async ({ page }) => {
  const items = await popularItems(page, 3);
  await page.goto("/");
  await settled(page);

  await tabTo(page, "[role=combobox]");
  for (const [place, item] of items.entries()) {
    await page.keyboard.type(item.title);
    const wanted = page.getByRole("option", { name: `${item.title} ${item.item_type}` }).first();
    await expect(wanted).toBeVisible();
    for (let presses = 0; presses < 8; presses += 1) {
      await page.keyboard.press("ArrowDown");
      if ((await wanted.getAttribute("aria-selected")) === "true") break;
    }
    await page.keyboard.press("Enter");
    await expect(cards(page)).toHaveCount(place + 1);
    await expect(searchBox(page)).toBeFocused();
  }
  const titles = items.map(({ title }) => title);
  expect(await titlesOf(cards(page))).toEqual(titles);

  await tabTo(page, ".card .title-button");
  await page.keyboard.press("Alt+ArrowDown");
  expect(await titlesOf(cards(page))).toEqual([titles[1], titles[0], titles[2]]);
  await expect(page.getByText(`${titles[0]} is now number 2 of 3.`)).toBeAttached();
  await expect(cards(page).nth(1).locator(".title-button")).toBeFocused();

  await tabTo(page, "[data-action=earlier]");
  await page.keyboard.press("Enter");
  expect(await titlesOf(cards(page))).toEqual(titles);
  await expect(page.getByRole("button", { name: `Move ${titles[0]} earlier` })).toBeFocused();
  await settled(page);

  const why = results(page).first().locator("details");
  await tabTo(page, ".why summary");
  await expect(why.locator(".why-body")).toBeHidden();
  await page.keyboard.press("Enter");
  await expect(why.getByText("What in your session speaks for it")).toBeVisible();
  await expect(why.getByText(/\d+\s%/).first()).toBeVisible();

  const added = (await titlesOf(results(page)))[0] ?? "";
  await tabTo(page, "[data-action=add]");
  await page.keyboard.press("Enter");
  await expect(cards(page)).toHaveCount(4);
  expect((await titlesOf(cards(page)))[3]).toBe(added);
  await settled(page);
  expect(await titlesOf(results(page))).not.toContain(added);
  // The button that had the focus is gone; the focus is not.
  await expect(page.locator("[data-action=add]:focus")).toHaveCount(1);

  await tabTo(page, ".tabs a[href='#how-good']", "Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "How good is it?" })).toBeVisible();
  await expect(page.getByRole("main")).toBeFocused();
});

test("the item's dialog opens and closes by keyboard, and the focus comes back", async ({
  page,
}) => {
  await page.goto("/");
  await settled(page);
  const title = (await titlesOf(results(page)))[0] ?? "";
  await tabTo(page, ".result .title-button");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: title });
  await expect(dialog.getByText(/events? of the log/)).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(results(page).first().locator(".title-button")).toBeFocused();
});

test("what is near an item is opened by keyboard, and the focus comes back", async ({ page }) => {
  await page.goto("/");
  await settled(page);
  await tabTo(page, ".result .title-button");
  await page.keyboard.press("Enter");
  const near = page.getByRole("dialog").locator(".near .title-button");
  await expect(near.first()).toBeVisible();
  const title = (await near.first().textContent()) ?? "";
  await tabTo(page, ".near .title-button");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: title, exact: true });
  await expect(dialog.getByText("Learnt from")).toBeVisible();
  await expect(dialog.getByRole("heading", { level: 2, name: title })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(results(page).first().locator(".title-button")).toBeFocused();
});

test("removing cards one after the other keeps the focus in the session", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: /Try: A bit of each/ }).click();
  const n = await cards(page).count();
  await tabTo(page, "[data-action=remove]");
  for (let left = n - 1; left >= 0; left -= 1) {
    await page.keyboard.press("Enter");
    await expect(cards(page)).toHaveCount(left);
    if (left > 0) await expect(page.locator("[data-action=remove]:focus")).toHaveCount(1);
  }
  await expect(page.getByRole("heading", { name: "Your session" })).toBeFocused();
  await page.keyboard.press("Control+z");
  await expect(cards(page)).toHaveCount(1);
});
