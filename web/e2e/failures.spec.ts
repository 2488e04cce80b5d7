import { expect, type Page } from "@playwright/test";
import { cards, openWithSession, results, settled, titlesOf } from "./page";
import { test } from "./test";

/** Answer the session's questions with an error until `stop` is called, and note their times. */
async function fail(page: Page, status: number, message: string, retryAfter?: string) {
  const times: number[] = [];
  let isFailing = true;
  await page.route("**/v1/recommendations", async (route) => {
    // Those with types are for the examples.
    if (route.request().postDataJSON().types === null) times.push(Date.now());
    if (!isFailing) return route.continue();
    await route.fulfill({
      status,
      headers: retryAfter === undefined ? {} : { "Retry-After": retryAfter },
      json: { error: { code: "test", message, field: null } },
    });
  });
  return {
    times,
    stop: () => {
      isFailing = false;
    },
  };
}

test("a busy service is asked again when it said to be, and not before", async ({ page }) => {
  const failing = await fail(page, 503, "Too many sessions are waiting.", "2");
  await page.goto("/");
  await expect(page.getByText("Too many sessions are waiting.")).toBeVisible();
  await expect(page.getByText(/by itself in [12] s/)).toBeVisible();
  failing.stop();
  await expect(results(page).first()).toBeVisible();
  await expect(page.getByText("Too many sessions are waiting.")).toBeHidden();
  const [first = 0, second = 0] = failing.times;
  expect(failing.times).toHaveLength(2);
  expect(second - first).toBeGreaterThanOrEqual(1950);
});

test("too many requests say so", async ({ page }) => {
  await fail(page, 429, "At most 10 requests a second.", "30");
  await page.goto("/");
  await expect(page.getByRole("alert")).toContainText("Too many requests");
  await expect(page.getByText(/by itself in (29|30) s/)).toBeVisible();
});

test("a fault of the service keeps the last answer and waits for a person", async ({ page }) => {
  await openWithSession(page, 2);
  const titles = await titlesOf(results(page));
  const failing = await fail(page, 500, "Something went wrong here. Request 4711.");
  await page
    .getByRole("button", { name: /^Add .* to the session$/ })
    .first()
    .click();
  await expect(page.getByRole("alert")).toContainText("Request 4711");
  await expect(page.getByText(/by itself/)).toBeHidden();
  expect(await titlesOf(results(page))).toEqual(titles);
  failing.stop();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("alert")).toBeHidden();
  expect(await titlesOf(results(page))).not.toContain(titles[0]);
});

test("offline, the last answer stays; back online, the page goes on by itself", async ({
  page,
  context,
}) => {
  await openWithSession(page, 2);
  const titles = await titlesOf(results(page));
  await context.setOffline(true);
  await expect(page.getByText("You are offline.")).toBeVisible();
  await page
    .getByRole("button", { name: /^Add .* to the session$/ })
    .first()
    .click();
  await expect(cards(page)).toHaveCount(3);
  expect(await titlesOf(results(page))).toEqual(titles);
  await context.setOffline(false);
  await expect(page.getByText("You are offline.")).toBeHidden();
  await expect(results(page).first().locator(".title")).not.toHaveText(titles[0] ?? "");
});

test("a service that has gone is asked again, ever more slowly, until it is back", async ({
  page,
}) => {
  await openWithSession(page, 2);
  let nAsked = 0;
  await page.route("**/v1/recommendations", (route) => {
    nAsked += 1;
    return route.abort("connectionrefused");
  });
  await page
    .getByRole("button", { name: /^Add .* to the session$/ })
    .first()
    .click();
  await expect(page.getByText("The service cannot be reached.").first()).toBeVisible();
  await expect.poll(() => nAsked, { timeout: 6000 }).toBeGreaterThanOrEqual(2);
  await page.unroute("**/v1/recommendations");
  await expect(page.getByText("The service cannot be reached.").first()).toBeHidden({
    timeout: 10_000,
  });
  await settled(page);
});

test("a service that wants a key is given one, for this tab", async ({ page }) => {
  await page.route("**/v1/**", async (route) => {
    if (route.request().headers().authorization === "Bearer open-sesame") return route.continue();
    await route.fulfill({
      status: 401,
      json: { error: { code: "unauthorized", message: "Give an API key.", field: null } },
    });
  });
  await page.goto("/");
  const dialog = page.getByRole("dialog", { name: "This service asks for a key" });
  await expect(dialog.getByText("Give an API key.")).toBeVisible();
  await dialog.getByLabel("Key").fill("open-sesame");
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();
  await settled(page);
  await page.reload();
  await settled(page);
});

test("a search that fails says so", async ({ page }) => {
  await page.route("**/v1/items/search*", (route) =>
    route.fulfill({
      status: 500,
      json: { error: { code: "internal", message: "The index cannot be read.", field: null } },
    }),
  );
  await page.goto("/");
  await page.getByRole("combobox", { name: /Add what/ }).fill("dune");
  await expect(page.locator(".search-note")).toHaveText("The index cannot be read.");
});
