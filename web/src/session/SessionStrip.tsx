// Takes the session; gives its cards in order, and what a person does with them.

import { type KeyboardEvent, type ReactNode, useEffect, useRef } from "react";
import type { ItemSummary } from "../api/types";
import { Icon, TypeIcon, TypeName } from "../types/icons";
import type { Deed, Session } from "./session";
import { useDrag } from "./useDrag";

const STEPS: Record<string, number> = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 };

interface Props {
  session: Session;
  unknownIds: ReadonlySet<string>;
  onDeed: (deed: Deed) => void;
  onOpen: (item: ItemSummary) => void;
  /** Shown in the place of the cards while there are none. */
  children: ReactNode;
}

export function SessionStrip(props: Props): ReactNode {
  const { session, unknownIds, onDeed, onOpen, children } = props;
  const { items, past } = session;
  const { drag, list, startDrag } = useDrag(({ from, to }) => {
    const item = items[from];
    if (item) onDeed({ kind: "move", itemId: item.item_id, to });
  });
  const heading = useRef<HTMLHeadingElement>(null);
  useKeptFocus(list, heading, items);

  return (
    <section className="session" aria-labelledby="session-title">
      <div className="section-head">
        <h2 id="session-title" ref={heading} tabIndex={-1}>
          Your session {items.length > 0 && <span className="count">{items.length}</span>}
        </h2>
        <HeadButton isOff={past.length === 0} onPress={() => onDeed({ kind: "undo" })}>
          <Icon name="undo" /> Undo
        </HeadButton>
        <HeadButton isOff={items.length === 0} onPress={() => onDeed({ kind: "clear" })}>
          Clear
        </HeadButton>
      </div>
      {items.length === 0 && children}
      {items.length > 0 && (
        <>
          <ol className={drag ? "strip is-dragging" : "strip"} ref={list}>
            {items.map((item, place) => (
              <Card
                key={item.item_id}
                item={item}
                place={place}
                nItems={items.length}
                isUnknown={unknownIds.has(item.item_id)}
                mark={dragMark(drag, place)}
                onDeed={onDeed}
                onOpen={onOpen}
                onGrip={(event) => startDrag(event, place)}
              />
            ))}
          </ol>
          <p className="hint">
            Drag to reorder, or press <kbd>Alt</kbd> with an arrow key on a card.
          </p>
        </>
      )}
    </section>
  );
}

interface CardProps {
  item: ItemSummary;
  place: number;
  nItems: number;
  isUnknown: boolean;
  mark: string;
  onDeed: (deed: Deed) => void;
  onOpen: (item: ItemSummary) => void;
  onGrip: (event: React.PointerEvent<HTMLElement>) => void;
}

function Card(props: CardProps): ReactNode {
  const { item, place, nItems, isUnknown, mark, onDeed, onOpen, onGrip } = props;

  function moveTo(to: number): void {
    onDeed({ kind: "move", itemId: item.item_id, to });
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = event.altKey ? STEPS[event.key] : undefined;
    if (step === undefined) return;
    event.preventDefault();
    moveTo(place + step);
  }

  return (
    <li className={`card ${mark}`} data-item={item.item_id} onKeyDown={onKeyDown}>
      <span className="grip" onPointerDown={onGrip} title="Drag to reorder">
        <Icon name="grip" />
      </span>
      <TypeIcon type={item.item_type} />
      <div className="card-text">
        <button type="button" className="title title-button" onClick={() => onOpen(item)}>
          {item.title}
        </button>
        <span className="item-line">
          <TypeName type={item.item_type} />
          {isUnknown && <span className="warn">not known to the model</span>}
        </span>
      </div>
      <div className="card-buttons">
        <CardButton
          name="earlier"
          label={`Move ${item.title} earlier`}
          isOff={place === 0}
          onPress={() => moveTo(place - 1)}
        />
        <CardButton
          name="later"
          label={`Move ${item.title} later`}
          isOff={place === nItems - 1}
          onPress={() => moveTo(place + 1)}
        />
        <CardButton
          name="remove"
          label={`Remove ${item.title}`}
          isOff={false}
          onPress={() => onDeed({ kind: "remove", itemId: item.item_id })}
        />
      </div>
    </li>
  );
}

interface CardButtonProps {
  name: "earlier" | "later" | "remove";
  label: string;
  isOff: boolean;
  onPress: () => void;
}

function CardButton({ name, label, isOff, onPress }: CardButtonProps): ReactNode {
  return (
    <button
      type="button"
      className="icon-button"
      data-action={name}
      aria-label={label}
      title={label}
      {...pressing(isOff, onPress)}
    >
      <Icon name={name} />
    </button>
  );
}

interface HeadButtonProps {
  isOff: boolean;
  onPress: () => void;
  children: ReactNode;
}

function HeadButton({ isOff, onPress, children }: HeadButtonProps): ReactNode {
  return (
    <button type="button" className="button button-quiet" {...pressing(isOff, onPress)}>
      {children}
    </button>
  );
}

/** A button that has nothing to do keeps the focus, which a disabled one would lose. */
function pressing(isOff: boolean, onPress: () => void) {
  return {
    "aria-disabled": isOff,
    onClick: () => {
      if (!isOff) onPress();
    },
  };
}

function dragMark(drag: { from: number; to: number } | null, place: number): string {
  if (drag === null) return "";
  if (place === drag.from) return "is-dragged";
  if (place !== drag.to) return "";
  return drag.to > drag.from ? "drop-after" : "drop-before";
}

/**
 * Keep the focus where the person is: on the moved card's button, or on the card that took the
 * removed one's place.
 */
function useKeptFocus(
  list: React.RefObject<HTMLOListElement | null>,
  heading: React.RefObject<HTMLElement | null>,
  items: readonly ItemSummary[],
): void {
  const last = useRef<{ itemId: string; action: string | null; place: number } | null>(null);

  useEffect(() => {
    function onFocus(event: FocusEvent): void {
      const card = event.target instanceof Element ? event.target.closest("li[data-item]") : null;
      if (!(card instanceof HTMLElement) || !list.current?.contains(card)) {
        last.current = null;
        return;
      }
      last.current = {
        itemId: card.dataset.item ?? "",
        action: (event.target as HTMLElement).dataset.action ?? null,
        place: [...list.current.children].indexOf(card),
      };
    }
    document.addEventListener("focusin", onFocus);
    return () => document.removeEventListener("focusin", onFocus);
  }, [list]);

  useEffect(() => {
    const focused = last.current;
    if (focused === null || document.activeElement !== document.body) return;
    const cards = [...(list.current?.children ?? [])] as HTMLElement[];
    const card =
      cards.find((other) => other.dataset.item === focused.itemId) ??
      cards[Math.min(focused.place, cards.length - 1)];
    const action = focused.action === null ? ".title-button" : `[data-action=${focused.action}]`;
    const target = card?.querySelector<HTMLElement>(action) ?? heading.current;
    target?.focus();
    // It is the change of items that moves the focus.
  }, [items, list, heading]);
}
