// Takes an item's id; gives a dialog of all that the service knows about the item.

import { type ReactNode, type RefObject, useEffect, useRef } from "react";
import { readItem } from "../api/client";
import type { ItemDetail, ItemSummary } from "../api/types";
import { countOf, longDate } from "../format/numbers";
import { Fact } from "../layout/Fact";
import { Failed } from "../requests/Failed";
import { useAnswer } from "../requests/useAnswer";
import { Icon, TypeIcon, TypeName } from "../types/icons";
import { typePlural } from "../types/names";
import { Near } from "./Near";

interface Props {
  item: ItemSummary;
  isInSession: boolean;
  onAdd: (item: ItemSummary) => void;
  /** Show another item in this one's place. */
  onOpen: (item: ItemSummary) => void;
  onClose: () => void;
}

export function ItemDialog({ item, isInSession, onAdd, onOpen, onClose }: Props): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = useAnswer(readItem, item.item_id);
  // While the next item is asked for, the answer is still the last one's.
  const detail = asked.answer?.item_id === item.item_id ? asked.answer : null;
  const heading = useHeadingInFocus(item.item_id);
  useEffect(() => dialog.current?.showModal(), []);

  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-labelledby="item-title"
      onClose={onClose}
      onClick={(event) => {
        // Only a click beside the dialog's content has the dialog itself as its target.
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <TypeIcon type={item.item_type} />
          <h2 id="item-title" ref={heading} tabIndex={-1} className="title">
            {item.title}
          </h2>
          <button
            type="button"
            className="icon-button"
            aria-label="Close"
            onClick={() => dialog.current?.close()}
          >
            <Icon name="remove" />
          </button>
        </header>
        {asked.failure ? (
          <Failed
            failure={asked.failure}
            nextTry={asked.nextTry}
            isLoading={asked.isLoading}
            onTryAgain={asked.tryAgain}
          />
        ) : (
          <Details item={item} detail={detail} />
        )}
        {!asked.failure && detail !== null && <Near similar={detail.similar} onOpen={onOpen} />}
        <footer className="dialog-foot">
          {isInSession ? (
            <p className="muted">In your session.</p>
          ) : (
            detail?.recommendable && (
              <button
                type="button"
                className="button button-main"
                onClick={() => {
                  onAdd(item);
                  dialog.current?.close();
                }}
              >
                <Icon name="add" /> Add to session
              </button>
            )
          )}
        </footer>
      </div>
    </dialog>
  );
}

/** After a change of the item, reading goes on at its title: the button that was pressed is gone. */
function useHeadingInFocus(itemId: string): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useRef(itemId);
  useEffect(() => {
    if (shown.current === itemId) return;
    shown.current = itemId;
    heading.current?.focus();
  }, [itemId]);
  return heading;
}

function Details({ item, detail }: { item: ItemSummary; detail: ItemDetail | null }): ReactNode {
  if (detail === null) {
    return (
      <div className="dialog-text" aria-busy="true">
        <span className="skeleton skeleton-line" />
        <span className="skeleton skeleton-line" />
        <span className="skeleton skeleton-line skeleton-short" />
      </div>
    );
  }
  return (
    <>
      <dl className="facts">
        <Fact name="Type">
          <TypeName type={detail.item_type} />
        </Fact>
        <Fact name="By">{detail.creators.join(", ")}</Fact>
        <Fact name="Genres">{detail.genres.join(", ")}</Fact>
        <Fact name="Released">{detail.release_date && longDate(detail.release_date)}</Fact>
        <Fact name="Popularity">{popularityInWords(detail)}</Fact>
        <Fact name="Learnt from">
          {detail.recommendable
            ? countOf(detail.train_events, "event of the log", "events of the log")
            : "nothing: the model does not know it, so it cannot recommend it or learn from it"}
        </Fact>
      </dl>
      <p className="dialog-text">
        {detail.description ?? (
          <span className="muted">No description of {item.title} is known.</span>
        )}
      </p>
    </>
  );
}

function popularityInWords({ popularity, item_type }: ItemDetail): string {
  if (popularity === null) return "";
  const others = typePlural(item_type).toLowerCase();
  return `more popular than ${Math.floor(100 * popularity)}\u00a0% of ${others}`;
}
