import { expect } from "@playwright/test";
import {
  addBySearch,
  cards,
  openWithSession,
  popularItems,
  results,
  settled,
  titlesOf,
} from "./page";
import { test } from "./test";

test("an empty session begins with popular items and examples", async ({ page }) => {
  await page.goto("/");
  await settled(page);
  await expect(page.getByRole("heading", { name: "Popular, to begin with" })).toBeVisible();
  await page.getByRole("button", { name: /Try: A bit of each/ }).click();
  await expect(page.getByRole("heading", { name: "What comes next" })).toBeVisible();
  await settled(page);
  const session = await titlesOf(cards(page));
  expect(session.length).toBeGreaterThan(1);
  for (const title of session) expect(await titlesOf(results(page))).not.toContain(title);
});

test("a session found by search lasts over a reload", async ({ page }) => {
  const items = await popularItems(page, 2);
  await page.goto("/");
  for (const item of items) await addBySearch(page, item);
  await page.reload();
  expect(await titlesOf(cards(page))).toEqual(items.map(({ title }) => title));
});

test("a card is dragged to another place", async ({ page }) => {
  const titles = (await openWithSession(page, 3)).map(({ title }) => title);
  const from = await cards(page).nth(0).locator(".grip").boundingBox();
  const to = await cards(page).nth(2).boundingBox();
  if (!from || !to) throw new Error("A card is not shown.");
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + 20, to.y + to.height / 2, { steps: 8 });
  await expect(cards(page).nth(2)).toHaveClass(/drop-after/);
  await page.mouse.up();
  expect(await titlesOf(cards(page))).toEqual([titles[1], titles[2], titles[0]]);
  await page.getByRole("button", { name: "Undo" }).click();
  expect(await titlesOf(cards(page))).toEqual(titles);
});

test("a drag that Escape breaks off changes nothing", async ({ page }) => {
  const titles = (await openWithSession(page, 3)).map(({ title }) => title);
  const from = await cards(page).nth(0).locator(".grip").boundingBox();
  const to = await cards(page).nth(2).boundingBox();
  if (!from || !to) throw new Error("A card is not shown.");
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + 20, to.y + to.height / 2, { steps: 4 });
  await page.keyboard.press("Escape");
  await page.mouse.up();
  expect(await titlesOf(cards(page))).toEqual(titles);
});

test("a dismissed item is not recommended until it is brought back", async ({ page }) => {
  await openWithSession(page, 2);
  const [dismissed = ""] = await titlesOf(results(page));
  await page.getByRole("button", { name: `Do not recommend ${dismissed}`, exact: true }).click();
  await expect(results(page).getByText(dismissed, { exact: true })).toHaveCount(0);
  await page.getByText("Dismissed").click();
  await page.getByRole("button", { name: `Recommend ${dismissed} again`, exact: true }).click();
  await expect(results(page).first().locator(".title")).toHaveText(dismissed);
});

test("length and types are as chosen", async ({ page }) => {
  await openWithSession(page, 2);
  await page.getByRole("radio", { name: "20" }).check();
  await expect(results(page)).toHaveCount(20);
  await page.getByRole("button", { name: "Movies" }).click();
  await settled(page);
  await expect(results(page).locator(".tone-movie")).toHaveCount(0);
  await page.getByRole("radio", { name: "5" }).check();
  await expect(results(page)).toHaveCount(5);
});

test("a surprise is of the types that the session lacks, and says so", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: /Try: Movies/ }).click();
  await page.getByRole("button", { name: /Surprise me/ }).click();
  await expect(page.getByText(/Your session has no books or music yet/)).toBeVisible();
  await settled(page);
  await expect(results(page).locator(".tone-movie")).toHaveCount(0);
});

test("what the model does not know is said, and passed over", async ({ page }) => {
  const stranger = {
    item_id: "Movie_Nobody Ever Saw This",
    item_type: "Movie",
    title: "<b>Nobody</b> Ever Saw'; DROP TABLE items; --",
    creators: [],
    genres: [],
  };
  await page.addInitScript(
    (saved) => localStorage.setItem("crossrec.session", saved),
    JSON.stringify({ items: [stranger], dismissed: [] }),
  );
  await page.goto("/");
  await settled(page);
  await expect(page.getByText("The model knows nothing of this session")).toBeVisible();
  await expect(page.getByText("not known to the model")).toBeVisible();
  // The title is shown letter by letter, and is no element of the page.
  await expect(cards(page).locator(".title")).toHaveText(stranger.title);
  await expect(cards(page).locator("b")).toHaveCount(0);
});

test("HTML in what the service says stays text", async ({ page }) => {
  const html = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  await page.route("**/v1/recommendations", async (route) => {
    const answer = await (await route.fetch()).json();
    for (const item of answer.items) {
      item.title = html;
      if (item.explanation) item.explanation.sentence = html;
    }
    await route.fulfill({ json: answer });
  });
  await openWithSession(page, 1);
  await expect(results(page).first().locator(".title")).toHaveText(html);
  await expect(results(page).first().locator(".why-sentence")).toHaveText(html);
  await expect(results(page).locator("img, script")).toHaveCount(0);
  expect(await page.title()).toBe("What’s next? · crossrec");
});

test("titles and descriptions of any length stay within the page", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  const long = "Donaudampfschifffahrt".repeat(20);
  await page.route("**/v1/**", async (route) => {
    const answer = await (await route.fetch()).json();
    for (const item of answer.items ?? [answer]) {
      item.title = long;
      item.creators = [long];
      item.description = long;
      for (const { items } of item.similar ?? []) for (const near of items) near.title = long;
      if (item.explanation) item.explanation.sentence = long;
    }
    await route.fulfill({ json: answer });
  });
  await openWithSession(page, 1);
  const excess = () =>
    page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
  await page
    .getByRole("button", { name: /^Add .* to the session$/ })
    .first()
    .click();
  await settled(page);
  expect(await excess()).toBe(0);
  await results(page).first().locator(".title-button").click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.locator("p.dialog-text")).toBeVisible();
  expect(await dialog.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBe(
    0,
  );
});

test("a new champion's types and figures are read when it answers", async ({ page }) => {
  await page.route("**/v1/recommendations", async (route) => {
    const answer = await (await route.fetch()).json();
    answer.model.name = "hybrid/newer";
    await route.fulfill({ json: answer });
  });
  let nRead = 0;
  await page.route("**/v1/model", async (route) => {
    nRead += 1;
    await route.continue();
  });
  await page.goto("/");
  await settled(page);
  await expect.poll(() => nRead).toBe(2);
});

test("the page breaks no rule of its content security policy", async ({ page }) => {
  const refused: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") refused.push(message.text());
  });
  page.on("pageerror", (error) => refused.push(error.message));
  await openWithSession(page, 3);
  await page.getByRole("link", { name: "How good is it?" }).click();
  await page.getByText("Model card").click();
  expect(refused).toEqual([]);
});
