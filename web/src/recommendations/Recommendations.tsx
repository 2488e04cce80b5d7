// Takes the answer to a session; gives its list, what is said about it, and what can be done.

import { type ReactNode, useEffect, useRef } from "react";
import { Unreachable } from "../api/failure";
import type {
  ItemSummary,
  RecommendationAnswer,
  RecommendationRequest,
  RecommendedItem,
} from "../api/types";
import { countOf } from "../format/numbers";
import { ItemLine } from "../item/ItemLine";
import { Failed } from "../requests/Failed";
import type { Asked } from "../requests/useAnswer";
import { Icon, TypeIcon } from "../types/icons";
import { Why } from "./Why";

interface Props {
  asked: Asked<RecommendationRequest, RecommendationAnswer>;
  length: number;
  titles: ReadonlyMap<string, string>;
  onAdd: (item: ItemSummary) => void;
  onDismiss: (item: ItemSummary) => void;
  onOpen: (item: ItemSummary) => void;
}

export function Recommendations(props: Props): ReactNode {
  const { asked, length, titles, onAdd, onDismiss, onOpen } = props;
  const { answer, failure, isLoading } = asked;
  const list = useRef<HTMLOListElement>(null);
  useFocusInList(list, answer);

  return (
    <div className="recommendations" aria-busy={isLoading}>
      <p className="visually-hidden" role="status">
        {!isLoading && !failure && answer
          ? `${countOf(answer.items.length, "recommendation", "recommendations")}.`
          : ""}
      </p>
      {failure && !(failure instanceof Unreachable && answer) && (
        <Failed
          failure={failure}
          nextTry={asked.nextTry}
          isLoading={isLoading}
          onTryAgain={asked.tryAgain}
        />
      )}
      {answer && <Notes answer={answer} asked={asked.question} titles={titles} />}
      {!answer && !failure && <Skeletons n={length} />}
      {answer?.items.length === 0 && !isLoading && (
        <p className="empty">
          Nothing is left to recommend. Choose more types, or bring dismissed items back.
        </p>
      )}
      {answer && answer.items.length > 0 && (
        <ol ref={list} className={resultsClass(isLoading, failure !== null)}>
          {answer.items.map((item) => (
            <Result
              key={item.item_id}
              item={item}
              onAdd={onAdd}
              onDismiss={onDismiss}
              onOpen={onOpen}
            />
          ))}
        </ol>
      )}
    </div>
  );
}

function resultsClass(isLoading: boolean, hasFailed: boolean): string {
  if (isLoading) return "results is-waiting";
  // What stays in sight without a newer answer must stay readable.
  return hasFailed ? "results is-old" : "results";
}

interface ResultProps {
  item: RecommendedItem;
  onAdd: (item: ItemSummary) => void;
  onDismiss: (item: ItemSummary) => void;
  onOpen: (item: ItemSummary) => void;
}

function Result({ item, onAdd, onDismiss, onOpen }: ResultProps): ReactNode {
  return (
    <li className="result">
      <span className="rank" aria-hidden="true">
        {item.rank}
      </span>
      <TypeIcon type={item.item_type} />
      <div className="result-text">
        <h3>
          <button type="button" className="title title-button" onClick={() => onOpen(item)}>
            {item.title}
          </button>
        </h3>
        <ItemLine item={item} />
        {item.explanation && <Why explanation={item.explanation} />}
      </div>
      <div className="result-buttons">
        <button
          type="button"
          className="icon-button icon-button-main"
          data-action="add"
          aria-label={`Add ${item.title} to the session`}
          title="Add to session"
          onClick={() => onAdd(item)}
        >
          <Icon name="add" />
        </button>
        <button
          type="button"
          className="icon-button"
          data-action="dismiss"
          aria-label={`Do not recommend ${item.title}`}
          title="Not this one"
          onClick={() => onDismiss(item)}
        >
          <Icon name="less" />
        </button>
      </div>
    </li>
  );
}

interface NotesProps {
  answer: RecommendationAnswer;
  asked: RecommendationRequest | null;
  titles: ReadonlyMap<string, string>;
}

function Notes({ answer, asked, titles }: NotesProps): ReactNode {
  const unknown = answer.unknown_items.map((itemId) => titles.get(itemId) ?? itemId);
  const isEmpty = asked === null || asked.session.length === 0;
  const isFallback = answer.basis === "popularity" && !isEmpty;
  const note = answer.basis === "session" ? answer.note : null;
  if (!isFallback && unknown.length === 0 && note === null) return null;
  return (
    <div className="notice">
      {isFallback && (
        <p>The model knows nothing of this session, so these are simply the most popular items.</p>
      )}
      {unknown.length > 0 && (
        <p>
          Left out, as the model does not know {unknown.length === 1 ? "it" : "them"}:{" "}
          {unknown.join(", ")}.
        </p>
      )}
      {note !== null && <p>{note}</p>}
    </div>
  );
}

/** As tall as the results that will come, so that nothing jumps. */
function Skeletons({ n }: { n: number }): ReactNode {
  return (
    <div className="results" aria-hidden="true">
      {Array.from({ length: n }, (_, place) => (
        <div key={place.toString()} className="result">
          <span className="rank" />
          <span className="skeleton skeleton-icon" />
          <div className="result-text">
            <span className="skeleton skeleton-line skeleton-short" />
            <span className="skeleton skeleton-line" />
          </div>
        </div>
      ))}
    </div>
  );
}

/** After an item with the focus has left the list, focus the one that took its place. */
function useFocusInList(
  list: React.RefObject<HTMLOListElement | null>,
  answer: RecommendationAnswer | null,
): void {
  const last = useRef<{ button: HTMLElement; place: number; action: string } | null>(null);

  useEffect(() => {
    function onFocus(event: FocusEvent): void {
      const target = event.target as HTMLElement;
      const result = target.closest(".result");
      const action = target.dataset.action;
      const isHere = result !== null && list.current?.contains(result);
      last.current =
        isHere && action && list.current
          ? { button: target, place: [...list.current.children].indexOf(result), action }
          : null;
    }
    document.addEventListener("focusin", onFocus);
    return () => document.removeEventListener("focusin", onFocus);
  }, [list]);

  useEffect(() => {
    if (last.current === null || last.current.button.isConnected) return;
    const results = [...(list.current?.children ?? [])];
    const result = results[Math.min(last.current.place, results.length - 1)];
    result?.querySelector<HTMLElement>(`[data-action=${last.current.action}]`)?.focus();
    // It is the new answer that moves the focus.
  }, [answer, list]);
}
