// Takes questions of the page; gives the service's answers, or throws a Failure.

import { Refusal, readRetryAfter, Unreachable } from "./failure";
import type {
  ErrorAnswer,
  ItemDetail,
  ModelAnswer,
  RecommendationAnswer,
  RecommendationRequest,
  SearchAnswer,
} from "./types";

const KEY_PLACE = "crossrec.key";

/** Keep the key that the service asks for until the tab is closed. */
export function rememberKey(key: string): void {
  sessionStorage.setItem(KEY_PLACE, key);
}

export function recommend(
  request: RecommendationRequest,
  signal: AbortSignal,
): Promise<RecommendationAnswer> {
  return ask("v1/recommendations", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
}

export function searchItems(
  query: string,
  type: string | null,
  limit: number,
  signal: AbortSignal,
): Promise<SearchAnswer> {
  const parameters = new URLSearchParams({ q: query, limit: String(limit) });
  if (type !== null) parameters.set("type", type);
  return ask(`v1/items/search?${parameters}`, { signal });
}

export function readItem(itemId: string, signal: AbortSignal): Promise<ItemDetail> {
  return ask(`v1/items/${encodeURIComponent(itemId)}`, { signal });
}

export function readModel(signal: AbortSignal): Promise<ModelAnswer> {
  return ask("v1/model", { signal });
}

async function ask<Answer>(path: string, init: RequestInit): Promise<Answer> {
  const headers = new Headers(init.headers);
  headers.set("Accept", "application/json");
  const key = sessionStorage.getItem(KEY_PLACE);
  if (key !== null) headers.set("Authorization", `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Unreachable();
  }
  if (!response.ok) throw await readRefusal(response);
  try {
    return (await response.json()) as Answer;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    // The connection broke in the middle of the answer, or something else answered in its place.
    throw new Unreachable();
  }
}

async function readRefusal(response: Response): Promise<Refusal> {
  const retryAfter = readRetryAfter(response.headers.get("Retry-After"), Date.now());
  try {
    const { error } = (await response.json()) as ErrorAnswer;
    return new Refusal(response.status, error.code, error.message, retryAfter);
  } catch {
    // A proxy in between answers in its own words, which are not for people.
    const message = `The service answered with status ${response.status}.`;
    return new Refusal(response.status, "unknown", message, retryAfter);
  }
}
