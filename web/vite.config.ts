import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const service = process.env.CROSSREC_SERVICE ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  // The service may stand behind a path prefix, so nothing in the page is addressed from the root.
  base: "./",
  build: {
    outDir: "../crossrec_pipeline/serving/page",
    emptyOutDir: true,
    // The service's content security policy allows no data: addresses.
    assetsInlineLimit: 0,
    target: "es2022",
  },
  server: { proxy: { "/v1": service } },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    maxWorkers: 1,
  },
});
