// Takes what is being typed; gives what the service finds once the typing pauses.

import { useEffect, useState } from "react";
import { searchItems } from "../api/client";
import type { SearchAnswer } from "../api/types";
import { type Asked, useAnswer } from "../requests/useAnswer";

const PAUSE_MS = 150;
const LONGEST_QUERY = 200;
const MOST_FOUND = 8;

interface Search {
  query: string;
  type: string | null;
}

export function useSearch(typed: string, type: string | null): Asked<Search, SearchAnswer> {
  const [query, setQuery] = useState("");
  useEffect(() => {
    const timer = window.setTimeout(() => setQuery(typed.trim().slice(0, LONGEST_QUERY)), PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  return useAnswer(search, query === "" ? null : { query, type });
}

function search({ query, type }: Search, signal: AbortSignal): Promise<SearchAnswer> {
  return searchItems(query, type, MOST_FOUND, signal);
}
