// Takes what a person types; gives the item they pick, from a list that follows the typing.

import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from "react";
import type { FoundItem } from "../api/types";
import { ItemLine } from "../item/ItemLine";
import { Icon, TypeIcon } from "../types/icons";
import { typePlural } from "../types/names";
import { useSearch } from "./useSearch";

interface Props {
  types: readonly string[];
  sessionIds: ReadonlySet<string>;
  onPick: (item: FoundItem) => void;
  onAnnounce: (said: string) => void;
}

export function SearchBox({ types, sessionIds, onPick, onAnnounce }: Props): ReactNode {
  const [typed, setTyped] = useState("");
  const [type, setType] = useState<string | null>(null);
  const [isOpen, setIsOpen] = useState(false);
  const [active, setActive] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();

  const asked = useSearch(typed, type);
  const found = asked.answer?.items ?? [];
  const isShown = isOpen && typed.trim() !== "";
  const place = found.findIndex((item) => item.item_id === active);

  function pick(item: FoundItem): void {
    if (!item.recommendable) {
      onAnnounce(`${item.title} cannot be added: the model does not know it.`);
      return;
    }
    onPick(item);
    setTyped("");
    setActive(null);
    setIsOpen(false);
    input.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      event.preventDefault();
      // The first press closes the list, the second one empties the field.
      if (isShown) setIsOpen(false);
      else setTyped("");
      setActive(null);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setIsOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      const start = place === -1 && step === -1 ? 0 : place;
      const next = found[(start + step + found.length) % found.length];
      setActive(next?.item_id ?? null);
      if (next)
        document.getElementById(optionId(id, next.item_id))?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      const item = found[place] ?? found[0];
      if (isShown && item && !asked.isLoading) pick(item);
    }
  }

  return (
    <div className="search">
      <label className="search-label" htmlFor={`${id}-input`}>
        Add what you liked, in order
      </label>
      <div className="search-row">
        <div className="search-field">
          <Icon name="search" />
          <input
            ref={input}
            id={`${id}-input`}
            type="text"
            role="combobox"
            aria-autocomplete="list"
            aria-expanded={isShown}
            aria-controls={`${id}-list`}
            aria-activedescendant={
              isShown && place >= 0 && active !== null ? optionId(id, active) : undefined
            }
            aria-describedby={`${id}-state`}
            autoComplete="off"
            spellCheck={false}
            maxLength={200}
            placeholder="Film, song or book …"
            value={typed}
            onChange={(event) => {
              setTyped(event.target.value);
              setActive(null);
              setIsOpen(true);
            }}
            onFocus={() => setIsOpen(true)}
            onBlur={() => setIsOpen(false)}
            onKeyDown={onKeyDown}
          />
        </div>
        <select
          className="select"
          aria-label="Search in"
          value={type ?? ""}
          onChange={(event) => setType(event.target.value || null)}
        >
          <option value="">All</option>
          {types.map((name) => (
            <option key={name} value={name}>
              {typePlural(name)}
            </option>
          ))}
        </select>
      </div>
      <p id={`${id}-state`} className="visually-hidden" role="status">
        {isShown ? stateInWords(asked, found) : ""}
      </p>
      <div className="search-popup" hidden={!isShown}>
        {asked.failure && <p className="search-note">{asked.failure.message}</p>}
        {!asked.failure && asked.answer && found.length === 0 && (
          <p className="search-note">Nothing in the catalogue is called “{typed.trim()}”.</p>
        )}
        {!asked.failure && !asked.answer && <p className="search-note muted">Searching …</p>}
        <div
          id={`${id}-list`}
          role="listbox"
          aria-label="Found items"
          className={asked.isLoading ? "options is-waiting" : "options"}
        >
          {found.map((item) => (
            <Option
              key={item.item_id}
              id={optionId(id, item.item_id)}
              item={item}
              isActive={item.item_id === active}
              isInSession={sessionIds.has(item.item_id)}
              onPick={() => pick(item)}
              onPoint={() => setActive(item.item_id)}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

interface OptionProps {
  id: string;
  item: FoundItem;
  isActive: boolean;
  isInSession: boolean;
  onPick: () => void;
  onPoint: () => void;
}

function Option({ id, item, isActive, isInSession, onPick, onPoint }: OptionProps): ReactNode {
  return (
    <div
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={isActive}
      aria-disabled={!item.recommendable}
      className="option"
      // A press would take the focus from the field, which closes the list before the click.
      onPointerDown={(event) => event.preventDefault()}
      onPointerMove={onPoint}
      onClick={onPick}
    >
      <TypeIcon type={item.item_type} />
      <span className="option-text">
        <span className="title">{item.title}</span>
        <ItemLine item={item} />
        {!item.recommendable && (
          <span className="option-why">
            Cannot be added: it came up too rarely for the model to learn it.
          </span>
        )}
      </span>
      {isInSession && <span className="option-mark">in session</span>}
    </div>
  );
}

/** Ids of items hold spaces and quotes, which ids of elements may not. */
function optionId(id: string, itemId: string): string {
  return `${id}-${encodeURIComponent(itemId)}`;
}

function stateInWords(
  { failure, answer, isLoading }: ReturnType<typeof useSearch>,
  found: readonly FoundItem[],
): string {
  if (failure) return failure.message;
  if (isLoading || !answer) return "Searching";
  if (found.length === 0) return "Nothing found";
  return found.length === 1 ? "1 item found" : `${found.length} items found`;
}
