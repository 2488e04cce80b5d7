import { beforeEach, describe, expect, it, vi } from "vitest";
import { readItem, readModel, recommend, rememberKey, searchItems } from "./client";
import { Refusal, Unreachable } from "./failure";

const SIGNAL = new AbortController().signal;

/** Answer the next requests, and keep what was asked. */
function answerWith(answer: () => Promise<Response>) {
  const fetch = vi.fn((_path: string, _init: RequestInit) => answer());
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

function json(body: unknown, status = 200, headers: Record<string, string> = {}) {
  return async () => new Response(JSON.stringify(body), { status, headers });
}

async function failureOf(asking: Promise<unknown>): Promise<unknown> {
  return asking.then(
    () => null,
    (failure: unknown) => failure,
  );
}

beforeEach(() => sessionStorage.clear());

describe("a question", () => {
  it("is asked beside the page, whatever the path it lies at", async () => {
    const fetch = answerWith(json({ items: [] }));
    await searchItems("a & b/ü", "Movie", 5, SIGNAL);
    expect(fetch.mock.calls[0]?.[0]).toBe("v1/items/search?q=a+%26+b%2F%C3%BC&limit=5&type=Movie");
  });

  it("escapes ids, which hold slashes and marks", async () => {
    const fetch = answerWith(json({}));
    await readItem("Book_A / B? #1", SIGNAL);
    expect(fetch.mock.calls[0]?.[0]).toBe("v1/items/Book_A%20%2F%20B%3F%20%231");
  });

  it("sends a session as JSON", async () => {
    const fetch = answerWith(json({ items: [] }));
    const request = {
      session: ["a"],
      top_k: 5,
      types: null,
      exclude_seen: true,
      exclude: [],
      explain: true,
    };
    await recommend(request, SIGNAL);
    const init = fetch.mock.calls[0]?.[1];
    expect(init?.method).toBe("POST");
    expect(JSON.parse(String(init?.body))).toEqual(request);
  });

  it("bears the key once there is one", async () => {
    const fetch = answerWith(json({}));
    await readModel(SIGNAL);
    rememberKey("secret");
    await readModel(SIGNAL);
    const keys = fetch.mock.calls.map(([, init]) => new Headers(init.headers).get("Authorization"));
    expect(keys).toEqual([null, "Bearer secret"]);
  });
});

describe("a failure", () => {
  it("says what the service says, and when to come back", async () => {
    const error = { code: "overloaded", message: "Too much to do.", field: null };
    answerWith(json({ error }, 503, { "Retry-After": "3" }));
    const failure = await failureOf(readModel(SIGNAL));
    expect(failure).toBeInstanceOf(Refusal);
    expect(failure).toMatchObject({
      status: 503,
      code: "overloaded",
      message: "Too much to do.",
      retryAfterSeconds: 3,
    });
  });

  it("of a proxy, which has no words for people, names the status", async () => {
    answerWith(async () => new Response("<h1>Bad Gateway</h1>", { status: 502 }));
    expect(await failureOf(readModel(SIGNAL))).toMatchObject({
      status: 502,
      message: "The service answered with status 502.",
    });
  });

  it("without any answer is that the service cannot be reached", async () => {
    answerWith(async () => {
      throw new TypeError("Failed to fetch");
    });
    expect(await failureOf(readModel(SIGNAL))).toBeInstanceOf(Unreachable);
  });

  it("is no failure where the page itself gave up", async () => {
    const controller = new AbortController();
    answerWith(async () => {
      controller.abort();
      throw new DOMException("aborted", "AbortError");
    });
    expect(await failureOf(readModel(controller.signal))).toMatchObject({ name: "AbortError" });
  });
});
