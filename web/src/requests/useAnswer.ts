// Takes a question; gives its answer, and meanwhile the last one, asking again when that may help.

import { useCallback, useEffect, useRef, useState } from "react";
import { type Failure, pauseSeconds, Refusal, Unreachable } from "../api/failure";

export interface Asked<Question, Answer> {
  /** The last answer; of an earlier question while `isLoading` or with a `failure`. */
  readonly answer: Answer | null;
  readonly question: Question | null;
  readonly isLoading: boolean;
  readonly failure: Failure | null;
  /** When the page asks again by itself, in milliseconds since 1970; null where it will not. */
  readonly nextTry: number | null;
  readonly tryAgain: () => void;
}

interface State<Question, Answer> {
  answer: Answer | null;
  question: Question | null;
  isLoading: boolean;
  failure: Failure | null;
  nextTry: number | null;
}

/**
 * Ask a question whenever it changes, and drop the one before it.
 *
 * Questions are compared by their JSON; null asks nothing. `ask` must be a function of a module,
 * the same one at each call.
 */
export function useAnswer<Question, Answer>(
  ask: (question: Question, signal: AbortSignal) => Promise<Answer>,
  question: Question | null,
): Asked<Question, Answer> {
  const [state, setState] = useState<State<Question, Answer>>({
    answer: null,
    question: null,
    isLoading: question !== null,
    failure: null,
    nextTry: null,
  });
  const key = JSON.stringify(question);
  const askNow = useRef<() => void>(() => {});

  useEffect(() => {
    const asked = JSON.parse(key) as Question | null;
    if (asked === null) {
      setState({ answer: null, question: null, isLoading: false, failure: null, nextTry: null });
      return;
    }
    let nFailures = 0;
    let timer: number | undefined;
    let controller = new AbortController();

    async function attempt(question: Question): Promise<void> {
      window.clearTimeout(timer);
      controller.abort();
      controller = new AbortController();
      const { signal } = controller;
      setState((state) => ({ ...state, isLoading: true, nextTry: null }));
      try {
        const answer = await ask(question, signal);
        if (signal.aborted) return;
        nFailures = 0;
        setState({ answer, question, isLoading: false, failure: null, nextTry: null });
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Unreachable || error instanceof Refusal)) throw error;
        nFailures += 1;
        const pause = pauseSeconds(error, nFailures);
        if (pause !== null) timer = window.setTimeout(() => void attempt(question), 1000 * pause);
        setState((state) => ({
          ...state,
          isLoading: false,
          failure: error,
          nextTry: pause === null ? null : Date.now() + 1000 * pause,
        }));
      }
    }

    function onOnline(): void {
      if (nFailures > 0) void attempt(asked as Question);
    }

    askNow.current = () => void attempt(asked);
    void attempt(asked);
    window.addEventListener("online", onOnline);
    return () => {
      controller.abort();
      window.clearTimeout(timer);
      window.removeEventListener("online", onOnline);
    };
  }, [ask, key]);

  const tryAgain = useCallback(() => askNow.current(), []);
  return { ...state, tryAgain };
}
