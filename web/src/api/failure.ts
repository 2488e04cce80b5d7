// Takes what went wrong with a request; gives what the page says of it and whether to ask again.

export class Unreachable extends Error {
  constructor() {
    super("The service cannot be reached.");
  }
}

export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterSeconds: number | null;

  constructor(status: number, code: string, message: string, retryAfterSeconds: number | null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export type Failure = Unreachable | Refusal;

const FIRST_PAUSE_SECONDS = 1;
const LONGEST_PAUSE_SECONDS = 30;

/**
 * Seconds until the next try after `n_failures` in a row, or null where only a person may try again.
 *
 * An answer with Retry-After is obeyed. Without one, pauses double from one second on, up to half
 * a minute. A refused request (400, 404, 422) or a fault of the service (500) comes out the same
 * when asked again.
 */
export function pauseSeconds(failure: Failure, n_failures: number): number | null {
  if (failure instanceof Refusal) {
    if (failure.status !== 429 && failure.status !== 503) return null;
    if (failure.retryAfterSeconds !== null) return Math.max(failure.retryAfterSeconds, 1);
  }
  return Math.min(FIRST_PAUSE_SECONDS * 2 ** (n_failures - 1), LONGEST_PAUSE_SECONDS);
}

/** Read a Retry-After header: seconds, or a date. */
export function readRetryAfter(header: string | null, now: number): number | null {
  if (header === null || header.trim() === "") return null;
  if (/^\d+$/.test(header.trim())) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1000));
}
