// Takes a failure; gives what the page says of it, when it asks again, and a button to do so now.

import { type ReactNode, useEffect, useState } from "react";
import { type Failure, Refusal, Unreachable } from "../api/failure";

interface Props {
  failure: Failure;
  nextTry: number | null;
  isLoading: boolean;
  onTryAgain: () => void;
}

export function Failed({ failure, nextTry, isLoading, onTryAgain }: Props): ReactNode {
  return (
    <div className="notice notice-bad">
      <div role="alert">
        <strong>{headingOf(failure)}</strong>
        <p>{failure.message}</p>
      </div>
      <div className="notice-row">
        <button type="button" className="button" onClick={onTryAgain} disabled={isLoading}>
          {isLoading ? "Trying …" : "Try again"}
        </button>
        {nextTry !== null && !isLoading && <Countdown until={nextTry} />}
      </div>
    </div>
  );
}

/** Not read aloud: it would interrupt each second. */
export function Countdown({ until }: { until: number }): ReactNode {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 500);
    return () => window.clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((until - now) / 1000));
  return <span className="muted">by itself in {seconds} s</span>;
}

function headingOf(failure: Failure): string {
  if (failure instanceof Unreachable) return "No connection";
  if (failure instanceof Refusal) {
    if (failure.status === 429) return "Too many requests";
    if (failure.status === 503) return "The service is busy or not ready";
    if (failure.status === 404) return "Not found";
    if (failure.status >= 500) return "The service failed";
  }
  return "The service refused this";
}
