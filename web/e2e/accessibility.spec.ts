import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { EVALUATION } from "./figures";
import { FIGURES, openWithSession, options, results, searchBox, settled } from "./page";
import { test } from "./test";

const RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"];

async function expectNoViolations(page: Page): Promise<void> {
  // Colours are judged after the fades between them.
  await page.waitForTimeout(300);
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`),
  );
  expect(found).toEqual([]);
}

async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const excess = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(excess).toBe(0);
}

async function openFigures(page: Page): Promise<void> {
  await page.route("**/v1/model", async (route) => {
    const answer = await (await route.fetch()).json();
    await route.fulfill({ json: { ...answer, evaluation: answer.evaluation ?? EVALUATION } });
  });
  await page.goto(`/${FIGURES}`);
  await page.getByText("Model card").click();
  await expect(page.getByRole("table", { name: /All models/ })).toBeVisible();
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const [size, viewport] of Object.entries({
    desk: { width: 1280, height: 800 },
    phone: { width: 360, height: 740 },
  })) {
    test.describe(`${colorScheme}, ${size}`, () => {
      test.use({ colorScheme, viewport });

      test("an empty start is accessible", async ({ page }) => {
        await page.goto("/");
        await settled(page);
        await expect(page.getByRole("button", { name: /Try: A bit of each/ })).toBeVisible();
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });

      test("a session with explanations and dismissals is accessible", async ({ page }) => {
        await openWithSession(page, 4);
        await results(page).first().locator("[data-action=dismiss]").click();
        await settled(page);
        await page.getByText("Dismissed").click();
        await results(page).first().locator("summary").click();
        await page.getByRole("button", { name: /Surprise me/ }).click();
        await settled(page);
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });

      test("an open search is accessible", async ({ page }) => {
        await page.goto("/");
        await searchBox(page).fill("the");
        await expect(options(page).nth(2)).toBeVisible();
        await page.keyboard.press("ArrowDown");
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });

      test("an item's dialog is accessible", async ({ page }) => {
        await page.goto("/");
        await settled(page);
        await results(page).first().locator(".title-button").click();
        await expect(page.getByRole("dialog").getByText(/events? of the log/)).toBeVisible();
        await expect(page.getByRole("dialog").getByText("Near in books")).toBeVisible();
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });

      test("the figures and the model card are accessible", async ({ page }) => {
        await openFigures(page);
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });

      test("an error and an old answer are accessible", async ({ page, context }) => {
        await openWithSession(page, 2);
        await context.setOffline(true);
        await results(page).first().locator("[data-action=add]").click();
        await expect(page.locator("ol.results")).toHaveClass(/is-old/);
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });
    });
  }
}

test("the dialog that asks for a key is accessible", async ({ page }) => {
  await page.route("**/v1/**", (route) =>
    route.fulfill({
      status: 401,
      json: { error: { code: "unauthorized", message: "Give an API key.", field: null } },
    }),
  );
  await page.goto("/");
  await expect(page.getByRole("dialog")).toBeVisible();
  await expectNoViolations(page);
});

test("the chosen theme lasts over a reload", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("/");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Switch to the dark theme" }).click();
  const dark = await ground();
  expect(dark).not.toBe(light);
  await page.reload();
  expect(await ground()).toBe(dark);
});

test("nothing moves for those who asked for less motion", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.route("**/v1/recommendations", () => {});
  await page.goto("/");
  const skeleton = page.locator(".skeleton").first();
  await expect(skeleton).toBeVisible();
  expect(await skeleton.evaluate((element) => getComputedStyle(element).animationName)).toBe(
    "none",
  );
});

test("what can be pressed is at least 24 pixels wide and high", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await openWithSession(page, 3);
  const small = await page
    .locator("button:visible, summary:visible, select:visible, a:visible, .segment:visible")
    .evaluateAll((controls) =>
      controls
        .map((control) => ({
          text: control.outerHTML.slice(0, 80),
          box: control.getBoundingClientRect(),
        }))
        .filter(({ box }) => box.width < 24 || box.height < 24)
        .map(({ text, box }) => `${text} ${box.width} × ${box.height}`),
    );
  expect(small).toEqual([]);
});
