// What the service takes and gives; the counterpart of crossrec_pipeline/serving/api/schemas.py.

export interface RecommendationRequest {
  session: readonly string[];
  top_k: number;
  types: readonly string[] | null;
  exclude_seen: boolean;
  exclude: readonly string[];
  explain: boolean;
}

export interface Because {
  item_id: string;
  title: string;
  share: number;
}

export interface Shared {
  kind: "story" | "edition" | "creator" | "genre";
  value: string;
  item_id: string;
  title: string;
}

export interface Explanation {
  sentence: string;
  because: Because[];
  shared: Shared[];
}

export interface ItemSummary {
  item_id: string;
  item_type: string;
  title: string;
  creators: string[];
  genres: string[];
}

export interface RecommendedItem extends ItemSummary {
  rank: number;
  score: number;
  explanation: Explanation | null;
}

export interface RecommendationAnswer {
  model: { name: string; data_version: string };
  basis: "session" | "popularity";
  note: string | null;
  items: RecommendedItem[];
  unknown_items: string[];
}

export interface FoundItem extends ItemSummary {
  recommendable: boolean;
}

export interface SearchAnswer {
  items: FoundItem[];
}

export interface SimilarItems {
  item_type: string;
  items: ItemSummary[];
}

export interface ItemDetail extends FoundItem {
  description: string | null;
  release_date: string | null;
  popularity: number | null;
  train_events: number;
  similar: SimilarItems[];
}

export interface Figure {
  value: number;
  low: number | null;
  high: number | null;
}

export interface ModelFigures {
  model: string;
  label: string;
  served: boolean;
  recall: Figure;
  mrr: Figure;
  ndcg: Figure;
}

export interface TypeFigures {
  item_type: string;
  n_predictions: number;
  recall: Figure;
  mrr: Figure;
  chance_recall: number;
}

export interface TransitionFigures {
  source_type: string;
  target_type: string;
  n_predictions: number;
  recall: Figure;
  chance_recall: number;
}

export interface Evaluation {
  cutoff: number;
  n_predictions: number;
  n_items: number;
  test_start: string | null;
  events: string;
  models: ModelFigures[];
  by_type: TypeFigures[];
  transitions: TransitionFigures[];
  notes: string[];
}

export interface ModelAnswer {
  name: string;
  kind: string;
  version: string;
  data_version: string;
  promoted_at: string | null;
  reason: string | null;
  types: string[];
  n_items: number;
  kernel: Record<string, string | number | boolean | null>;
  card: string;
  evaluation: Evaluation | null;
  refused: { name: string; reason: string } | null;
  most_top_k: number;
  most_session_items: number;
}

export interface ErrorAnswer {
  error: { code: string; message: string; field: string | null };
}
