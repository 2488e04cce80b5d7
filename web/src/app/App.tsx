// Gives the whole page: the session and what comes next, or how good the model is.

import { type ReactNode, useEffect, useMemo, useReducer, useRef, useState } from "react";
import { readModel, recommend, rememberKey } from "../api/client";
import { Refusal, Unreachable } from "../api/failure";
import type { ItemSummary, RecommendationRequest } from "../api/types";
import { FiguresView } from "../figures/FiguresView";
import { ItemDialog } from "../item/ItemDialog";
import { Controls } from "../recommendations/Controls";
import { Dismissed } from "../recommendations/Dismissed";
import { Lengths } from "../recommendations/Lengths";
import { Recommendations } from "../recommendations/Recommendations";
import { surpriseTypes } from "../recommendations/surprise";
import { Countdown } from "../requests/Failed";
import { useAnswer } from "../requests/useAnswer";
import { SearchBox } from "../search/SearchBox";
import { Examples } from "../session/Examples";
import { SessionStrip } from "../session/SessionStrip";
import { readSession, saveSession } from "../session/saved";
import { afterDeed } from "../session/session";
import { Icon } from "../types/icons";
import { KeyDialog } from "./KeyDialog";
import { useOnline } from "./useOnline";
import { useTheme } from "./useTheme";
import { useUndoKey } from "./useUndoKey";
import { FRAGMENTS, useView, type View } from "./useView";

const NO_TYPES: readonly string[] = [];
const MOST_EXCLUDED = 1000;

export function App(): ReactNode {
  const view = useView();
  const [session, onDeed] = useReducer(afterDeed, null, readSession);
  const [length, setLength] = useState(10);
  const [chosenTypes, setChosenTypes] = useState<ReadonlySet<string> | null>(null);
  const [isSurprising, setIsSurprising] = useState(false);
  const [opened, setOpened] = useState<ItemSummary | null>(null);
  const [said, setSaid] = useState("");

  useEffect(() => saveSession(session), [session]);
  useUndoKey(() => onDeed({ kind: "undo" }));

  const model = useAnswer(askModel, "model");
  const types = model.answer?.types ?? NO_TYPES;
  const surprise = useMemo(() => surpriseTypes(session.items, types), [session.items, types]);
  const wantedTypes = isSurprising && surprise ? surprise.types : [...(chosenTypes ?? types)];
  const mostSession = model.answer?.most_session_items ?? Number.POSITIVE_INFINITY;

  const request: RecommendationRequest = {
    // The latest items are what a session is continued from.
    session: session.items.slice(-mostSession).map((item) => item.item_id),
    top_k: length,
    types: wantedTypes.length === types.length ? null : wantedTypes,
    exclude_seen: true,
    exclude: session.dismissed.slice(0, MOST_EXCLUDED).map((item) => item.item_id),
    explain: session.items.length > 0,
  };
  const next = useAnswer(recommend, request);

  // A new champion has other types and figures than the one the page was opened with.
  const { tryAgain: readModelAgain } = model;
  const answering = next.answer?.model.name;
  const described = useRef<string>(undefined);
  useEffect(() => {
    described.current = model.answer?.name;
  }, [model.answer]);
  useEffect(() => {
    const isOther = answering !== undefined && described.current !== undefined;
    if (isOther && answering !== described.current) readModelAgain();
  }, [answering, readModelAgain]);

  const sessionIds = new Set(session.items.map((item) => item.item_id));
  const titles = new Map(session.items.map((item) => [item.item_id, item.title]));
  const unknownIds = new Set(next.answer?.unknown_items);
  const wantsKey = [model.failure, next.failure].find(
    (failure) => failure instanceof Refusal && failure.status === 401,
  );

  function tryAgain(): void {
    if (model.failure) model.tryAgain();
    if (next.failure) next.tryAgain();
  }

  return (
    <>
      <button type="button" className="button skip" onClick={focusContent}>
        Skip to content
      </button>
      <Header view={view} />
      <ConnectionBanner
        isUnreachable={model.failure instanceof Unreachable || next.failure instanceof Unreachable}
        isLoading={model.isLoading || next.isLoading}
        nextTry={next.nextTry ?? model.nextTry}
        onTryAgain={tryAgain}
      />
      <p className="visually-hidden" role="status">
        {session.announcement}
      </p>
      <p className="visually-hidden" role="status">
        {said}
      </p>
      <Content view={view}>
        {view === "figures" ? (
          <FiguresView asked={model} />
        ) : (
          <div className="next">
            <h1 className="visually-hidden">What’s next?</h1>
            <div className="side">
              <SearchBox
                types={types}
                sessionIds={sessionIds}
                onPick={(item) => onDeed({ kind: "add", item })}
                onAnnounce={setSaid}
              />
              <SessionStrip
                session={session}
                unknownIds={unknownIds}
                onDeed={onDeed}
                onOpen={setOpened}
              >
                <Examples types={types} onStart={(items) => onDeed({ kind: "start", items })} />
              </SessionStrip>
            </div>
            <section className="main" aria-labelledby="next-title">
              <div className="section-head">
                <h2 id="next-title">
                  {session.items.length === 0 ? "Popular, to begin with" : "What comes next"}
                </h2>
                <Lengths length={length} onLength={setLength} />
              </div>
              <Controls
                types={types}
                chosenTypes={chosenTypes ?? new Set(types)}
                onChosenTypes={setChosenTypes}
                isSurprising={isSurprising}
                surprise={surprise}
                onSurprising={setIsSurprising}
              />
              <Recommendations
                asked={next}
                length={length}
                titles={titles}
                onAdd={(item) => onDeed({ kind: "add", item })}
                onDismiss={(item) => onDeed({ kind: "dismiss", item })}
                onOpen={setOpened}
              />
              <Dismissed
                items={session.dismissed}
                onRestore={(itemId) => onDeed({ kind: "restore", itemId })}
              />
            </section>
          </div>
        )}
      </Content>
      {opened && (
        <ItemDialog
          item={opened}
          isInSession={sessionIds.has(opened.item_id)}
          onAdd={(item) => onDeed({ kind: "add", item })}
          onOpen={setOpened}
          onClose={() => setOpened(null)}
        />
      )}
      {wantsKey && (
        <KeyDialog
          message={wantsKey.message}
          onKey={(key) => {
            rememberKey(key);
            tryAgain();
          }}
        />
      )}
    </>
  );
}

function askModel(_: string, signal: AbortSignal) {
  return readModel(signal);
}

function focusContent(): void {
  document.getElementById("content")?.focus();
}

function Header({ view }: { view: View }): ReactNode {
  const { theme, toggleTheme } = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  return (
    <header className="header">
      <div className="header-row">
        <span className="brand">
          <img src="./icon.svg" alt="" width="28" height="28" />
          <span className="brand-name">crossrec</span>
        </span>
        <nav className="tabs" aria-label="Views">
          <a href={FRAGMENTS.next} aria-current={view === "next" ? "page" : undefined}>
            What’s next?
          </a>
          <a href={FRAGMENTS.figures} aria-current={view === "figures" ? "page" : undefined}>
            How good is it?
          </a>
        </nav>
        <button
          type="button"
          className="icon-button"
          aria-label={`Switch to the ${other} theme`}
          title={`Switch to the ${other} theme`}
          onClick={toggleTheme}
        >
          <Icon name={theme === "dark" ? "sun" : "moon"} />
        </button>
      </div>
    </header>
  );
}

/** After a change of view, reading goes on at its start. */
function Content({ view, children }: { view: View; children: ReactNode }): ReactNode {
  const main = useRef<HTMLElement>(null);
  const shown = useRef(view);
  useEffect(() => {
    if (shown.current === view) return;
    shown.current = view;
    main.current?.focus();
    window.scrollTo(0, 0);
  }, [view]);
  return (
    <main id="content" ref={main} tabIndex={-1} className="content">
      {children}
    </main>
  );
}

interface BannerProps {
  isUnreachable: boolean;
  isLoading: boolean;
  nextTry: number | null;
  onTryAgain: () => void;
}

function ConnectionBanner(props: BannerProps): ReactNode {
  const { isUnreachable, isLoading, nextTry, onTryAgain } = props;
  const isOnline = useOnline();
  const isShown = !isOnline || isUnreachable;
  return (
    <div className="banner" hidden={!isShown}>
      <p role="status">
        {isShown &&
          (isOnline
            ? "The service cannot be reached. What you see is its last answer."
            : "You are offline. What you see is the last answer.")}
      </p>
      {isUnreachable && (
        <>
          <button
            type="button"
            className="button button-quiet"
            onClick={onTryAgain}
            disabled={isLoading}
          >
            Try now
          </button>
          {nextTry !== null && <Countdown until={nextTry} />}
        </>
      )}
    </div>
  );
}
