import { cleanup, render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, expect, it } from "vitest";
import type { Evaluation, ModelAnswer } from "../api/types";
import { FiguresView } from "./FiguresView";

const EVALUATION: Evaluation = {
  cutoff: 20,
  n_predictions: 12345,
  n_items: 1545,
  test_start: "2023-05-20T00:00:00Z",
  events: "simulated",
  models: [
    {
      model: "hybrid",
      label: "Hybrid",
      served: true,
      recall: { value: 0.31, low: 0.302, high: 0.318 },
      mrr: { value: 0.12, low: 0.11, high: 0.13 },
      ndcg: { value: 0.16, low: 0.15, high: 0.17 },
    },
    {
      model: "chance",
      label: "Chance",
      served: false,
      recall: { value: 0.0129, low: null, high: null },
      mrr: { value: 0.002, low: null, high: null },
      ndcg: { value: 0.004, low: null, high: null },
    },
  ],
  by_type: [],
  transitions: [
    {
      source_type: "Movie",
      target_type: "Music",
      n_predictions: 433,
      recall: { value: 0.13, low: 0.11, high: 0.15 },
      chance_recall: 0.013,
    },
    {
      source_type: "Music",
      target_type: "Movie",
      n_predictions: 1,
      recall: { value: 0, low: null, high: null },
      chance_recall: 0.013,
    },
  ],
  notes: ["<b>As measured</b>"],
};

const MODEL: ModelAnswer = {
  name: "hybrid/1",
  kind: "hybrid",
  version: "1",
  data_version: "abc",
  promoted_at: null,
  reason: null,
  types: ["Movie", "Music"],
  n_items: 1545,
  kernel: { kernel: "dense" },
  card: "# Card",
  evaluation: EVALUATION,
  refused: null,
  most_top_k: 100,
  most_session_items: 500,
};

function show(model: ModelAnswer): void {
  render(
    <FiguresView
      asked={{
        answer: model,
        question: "model",
        isLoading: false,
        failure: null,
        nextTry: null,
        tryAgain: () => {},
      }}
    />,
  );
}

/** Text as read, with plain spaces. */
function textOf(element: Element): string {
  return (element.textContent ?? "").replaceAll("\u00a0", " ");
}

afterEach(cleanup);

it("says the served model's figure, its interval and chance in one sentence", () => {
  show(MODEL);
  const lead = screen.getByText(/test cases/);
  expect(textOf(lead)).toBe(
    "In 31.0 % of 12,345 test cases, the item that really came next was among the first 20 that " +
      "Hybrid recommends (95 % interval: 30.2 to 31.8 %). That is 24 times what blind chance " +
      "would reach, 1.3 %.",
  );
});

it("has all figures of a model in its row, whichever is drawn", async () => {
  show(MODEL);
  const table = screen.getByRole("table", { name: /All models/ });
  const row = within(table).getByRole("row", { name: /Hybrid/ });
  const read = () => within(row).getAllByRole("cell").map(textOf);
  const figures = ["", "31.0 %30.2 to 31.8 %", "0.1200.110 to 0.130", "0.1600.150 to 0.170"];
  expect(read()).toEqual(figures);
  await userEvent.click(screen.getByRole("radio", { name: "MRR@20" }));
  expect(read()).toEqual(figures);
});

it("marks the served model in words", () => {
  show(MODEL);
  expect(screen.getByRole("rowheader", { name: /Hybrid/ }).textContent).toContain("serving");
  expect(screen.getByRole("rowheader", { name: /Chance/ }).textContent).not.toContain("serving");
});

it("says a transition's value, interval, gain over chance and cases, and which was never seen", () => {
  show(MODEL);
  const map = screen.getByRole("table", { name: /type before/ });
  const cells = within(map).getAllByRole("cell").map(textOf);
  expect(cells).toEqual([
    "never seen",
    "13.0 %11.0 to 15.0 %×10 chance · 433 cases",
    "0.0 %×0.0 chance · 1 case",
    "never seen",
  ]);
});

it("shows notes as the text they are", () => {
  show(MODEL);
  expect(screen.getByText("<b>As measured</b>")).toBeTruthy();
});

it("says so where no figures were exported", () => {
  show({ ...MODEL, evaluation: null });
  expect(screen.getByText(/No figures were exported/)).toBeTruthy();
  expect(screen.queryByRole("table")).toBeNull();
});

it("says which newer model is not served, and why", () => {
  show({ ...MODEL, refused: { name: "hybrid/2", reason: "weights.safetensors is cut short." } });
  const note = screen.getByRole("note");
  expect(textOf(note)).toContain("hybrid/2 was promoted but could not be loaded");
  expect(textOf(note)).toContain("weights.safetensors is cut short.");
});
