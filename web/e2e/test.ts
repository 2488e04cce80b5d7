// Playwright's test, with a page whose last requests may be under way when a test ends.

import { test as base } from "@playwright/test";

export const test = base.extend({
  page: async ({ page }, runTest) => {
    await runTest(page);
    // A route's handler may still be waiting for the service: what it meets when
    // the page closes under it is no failure of the test.
    await page.unrouteAll({ behavior: "ignoreErrors" });
  },
});
