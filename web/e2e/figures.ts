// Figures in the service's schema, for a data directory whose models were exported without any.

const TYPES = ["Book", "Movie", "Music"];
const CHANCE = 20 / 1545;

function figure(value: number) {
  return { value, low: 0.96 * value, high: 1.04 * value };
}

function model(name: string, recall: number, served: boolean) {
  return {
    model: name,
    label: name,
    served,
    recall: figure(recall),
    mrr: figure(0.4 * recall),
    ndcg: figure(0.5 * recall),
  };
}

export const EVALUATION = {
  cutoff: 20,
  n_predictions: 12345,
  n_items: 1545,
  test_start: "2023-05-20T00:00:00Z",
  events: "simulated",
  models: [
    model("hybrid", 0.31, true),
    model("gru4rec", 0.28, false),
    model("chance", CHANCE, false),
  ],
  by_type: TYPES.map((item_type, place) => ({
    item_type,
    n_predictions: 4000 + place,
    recall: figure(0.36 - 0.05 * place),
    mrr: figure(0.12),
    chance_recall: CHANCE,
  })),
  // All shades of the heat map.
  transitions: TYPES.flatMap((source_type, row) =>
    TYPES.map((target_type, column) => ({
      source_type,
      target_type,
      n_predictions: 400,
      recall: figure(0.05 * (3 * row + column)),
      chance_recall: CHANCE,
    })),
  ),
  notes: [],
};
