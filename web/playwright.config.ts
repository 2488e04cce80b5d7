// Takes a data directory with a champion; starts the real service on it and tests the page there.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "@playwright/test";

const repository = resolve(import.meta.dirname, "..");
const dataDir = resolve(repository, process.env.CROSSREC_DATA_DIR ?? "data");
const python = process.env.PYTHON ?? resolve(repository, ".venv/bin/python");
const port = Number(process.env.CROSSREC_E2E_PORT ?? 8931);

if (!existsSync(resolve(dataDir, "models/champion.json"))) {
  throw new Error(
    `There is no model to serve in ${dataDir}: run "make run" first, ` +
      "or name a data directory that has one in CROSSREC_DATA_DIR.",
  );
}

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  forbidOnly: process.env.CI !== undefined,
  workers: 1,
  reporter: "list",
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    viewport: { width: 1280, height: 800 },
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
      ],
    },
  },
  webServer: {
    command: `"${python}" -m crossrec_pipeline.cli serve --port ${port}`,
    cwd: repository,
    env: { CROSSREC_DATA_DIR: dataDir, CROSSREC_SERVING__LOG_REQUESTS: "false" },
    url: `http://127.0.0.1:${port}/v1/model`,
    timeout: 180_000,
  },
});
