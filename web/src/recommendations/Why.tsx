// Takes an explanation; gives its sentence, and on request what it rests on.

import type { ReactNode } from "react";
import type { Explanation, Shared } from "../api/types";
import { wholePercent } from "../format/numbers";
import { Icon } from "../types/icons";

export function Why({ explanation }: { explanation: Explanation }): ReactNode {
  const { sentence, because, shared } = explanation;
  const hasDetails = because.length > 0 || shared.length > 0;
  if (!hasDetails) return <p className="why-sentence">{sentence}</p>;
  return (
    <details className="why">
      <summary>
        <span className="why-sentence">{sentence}</span>{" "}
        <span className="why-more">
          Why? <Icon name="more" />
        </span>
      </summary>
      <div className="why-body">
        {because.length > 0 && (
          <>
            <h4>What in your session speaks for it</h4>
            <ul className="shares">
              {because.map(({ item_id, title, share }) => (
                <li key={item_id} className="share">
                  <span className="share-title">{title}</span>
                  <ShareBar share={share} />
                  <span className="share-value">{wholePercent(share)}</span>
                </li>
              ))}
            </ul>
          </>
        )}
        {shared.length > 0 && (
          <>
            <h4>In common</h4>
            <ul className="commons">
              {shared.map((common) => (
                <li key={`${common.kind} ${common.value} ${common.item_id}`}>
                  {commonInWords(common)}
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </details>
  );
}

function ShareBar({ share }: { share: number }): ReactNode {
  return (
    <svg className="share-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect className="bar-ground" width="100" height="6" />
      <rect className="bar-value" width={100 * share} height="6" />
    </svg>
  );
}

function commonInWords({ kind, value, title }: Shared): string {
  if (kind === "story" || kind === "edition") {
    return `${value.charAt(0).toUpperCase()}${value.slice(1)} ${title}`;
  }
  return `${kind === "creator" ? "Creator" : "Genre"} ${value}, like ${title}`;
}
