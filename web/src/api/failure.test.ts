import { describe, expect, it } from "vitest";
import { pauseSeconds, Refusal, readRetryAfter, Unreachable } from "./failure";

function refusal(status: number, retryAfter: number | null = null): Refusal {
  return new Refusal(status, "code", "message", retryAfter);
}

describe("the pause before the next try", () => {
  it("doubles up to half a minute while the service cannot be reached", () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7].map((n) => pauseSeconds(new Unreachable(), n));
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });

  it.each([429, 503])("is what the service asks for with %i", (status) => {
    expect(pauseSeconds(refusal(status, 7), 1)).toBe(7);
    expect(pauseSeconds(refusal(status, 120), 9)).toBe(120);
  });

  it("is never less than a second", () => expect(pauseSeconds(refusal(503, 0), 1)).toBe(1));

  it("doubles where a busy service names none", () => {
    expect(pauseSeconds(refusal(503), 3)).toBe(4);
  });

  it.each([400, 401, 404, 422, 500])("never ends after %i: a person tries again", (status) => {
    expect(pauseSeconds(refusal(status), 1)).toBeNull();
  });
});

describe("Retry-After", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");

  it.each([
    ["12", 12],
    ["0", 0],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30],
    ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
    ["soon", null],
    ["", null],
    [null, null],
  ])("of %j is %j seconds", (header, seconds) => {
    expect(readRetryAfter(header, now)).toBe(seconds);
  });
});
