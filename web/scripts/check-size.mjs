// Takes the built page; fails when its scripts together are larger than the budget, gzipped.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 100_000;
const page = join(import.meta.dirname, "../../crossrec_pipeline/serving/page");

const scripts = readdirSync(page, { recursive: true }).filter((name) => name.endsWith(".js"));
if (scripts.length === 0) {
  console.error(`No script was found in ${page}: run "npm run build".`);
  process.exit(1);
}
const bytes = scripts
  .map((name) => gzipSync(readFileSync(join(page, name)), { level: 9 }).length)
  .reduce((total, size) => total + size, 0);
const figures = `${bytes.toLocaleString("en")} bytes of script, gzipped; the budget is ${BUDGET_BYTES.toLocaleString("en")}`;
if (bytes > BUDGET_BYTES) {
  console.error(
    `The page is too large: ${figures}. Drop a dependency or split what is rarely used.`,
  );
  process.exit(1);
}
console.log(`The page has ${figures}.`);
