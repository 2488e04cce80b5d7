import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refusal, Unreachable } from "../api/failure";
import { useAnswer } from "./useAnswer";

interface Pending {
  question: string;
  signal: AbortSignal;
  answer: (answer: string) => void;
  fail: (failure: Error) => void;
}

/** A service whose answers the test gives by hand. */
function makeService() {
  const pending: Pending[] = [];
  const ask = (question: string, signal: AbortSignal) =>
    new Promise<string>((answer, fail) => pending.push({ question, signal, answer, fail }));
  return { ask, pending };
}

async function settle(deed: () => void): Promise<void> {
  await act(async () => deed());
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("an answer", () => {
  it("of the last question stays until the next one is there", async () => {
    const { ask, pending } = makeService();
    const { result, rerender } = renderHook(({ question }) => useAnswer(ask, question), {
      initialProps: { question: "first" },
    });
    expect(result.current).toMatchObject({ answer: null, isLoading: true });
    await settle(() => pending[0]?.answer("one"));
    expect(result.current).toMatchObject({ answer: "one", isLoading: false });
    rerender({ question: "second" });
    expect(result.current).toMatchObject({ answer: "one", isLoading: true });
    await settle(() => pending[1]?.answer("two"));
    expect(result.current).toMatchObject({ answer: "two", question: "second" });
  });

  it("that comes late is dropped, and its request broken off", async () => {
    const { ask, pending } = makeService();
    const { result, rerender } = renderHook(({ question }) => useAnswer(ask, question), {
      initialProps: { question: "first" },
    });
    rerender({ question: "second" });
    expect(pending.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    await settle(() => pending[1]?.answer("two"));
    await settle(() => pending[0]?.answer("one"));
    expect(result.current.answer).toBe("two");
  });

  it("to no question is none", async () => {
    const { ask, pending } = makeService();
    const { result } = renderHook(() => useAnswer(ask, null));
    expect(result.current).toMatchObject({ answer: null, isLoading: false });
    expect(pending).toEqual([]);
  });
});

describe("after a failure", () => {
  it("the page asks again when the service said to", async () => {
    const { ask, pending } = makeService();
    const { result } = renderHook(() => useAnswer(ask, "question"));
    await settle(() => pending[0]?.fail(new Refusal(503, "busy", "Busy.", 5)));
    expect(result.current.nextTry).toBe(Date.now() + 5000);
    await settle(() => vi.advanceTimersByTime(4999));
    expect(pending).toHaveLength(1);
    await settle(() => vi.advanceTimersByTime(1));
    await settle(() => pending[1]?.answer("there"));
    expect(result.current).toMatchObject({ answer: "there", failure: null, nextTry: null });
  });

  it("the page asks again as soon as the network is back", async () => {
    const { ask, pending } = makeService();
    renderHook(() => useAnswer(ask, "question"));
    await settle(() => pending[0]?.fail(new Unreachable()));
    await settle(() => window.dispatchEvent(new Event("online")));
    expect(pending).toHaveLength(2);
  });

  it("a fault of the service waits for a person", async () => {
    const { ask, pending } = makeService();
    const { result } = renderHook(() => useAnswer(ask, "question"));
    await settle(() => pending[0]?.fail(new Refusal(500, "internal", "Broken.", null)));
    await settle(() => vi.advanceTimersByTime(3_600_000));
    expect(pending).toHaveLength(1);
    await settle(() => result.current.tryAgain());
    expect(pending).toHaveLength(2);
  });

  it("nothing is asked any more once the page has gone on", async () => {
    const { ask, pending } = makeService();
    const { unmount } = renderHook(() => useAnswer(ask, "question"));
    await settle(() => pending[0]?.fail(new Unreachable()));
    unmount();
    await settle(() => vi.advanceTimersByTime(60_000));
    expect(pending).toHaveLength(1);
  });
});
