// Takes what is asked of the recommendations; gives the controls that change it.

import type { ReactNode } from "react";
import { Icon, TypeIcon } from "../types/icons";
import { typePlural, typeTone } from "../types/names";
import type { Surprise } from "./surprise";

interface Props {
  types: readonly string[];
  chosenTypes: ReadonlySet<string>;
  onChosenTypes: (types: ReadonlySet<string>) => void;
  isSurprising: boolean;
  surprise: Surprise | null;
  onSurprising: (isSurprising: boolean) => void;
}

export function Controls(props: Props): ReactNode {
  const { types, chosenTypes, onChosenTypes } = props;
  const { isSurprising, surprise, onSurprising } = props;
  const shownTypes = isSurprising && surprise ? new Set(surprise.types) : chosenTypes;

  function toggle(type: string): void {
    const next = new Set(chosenTypes);
    if (!next.delete(type)) next.add(type);
    // Nothing of no type can be recommended, so letting go of the last one asks for all again.
    onChosenTypes(next.size === 0 ? new Set(types) : next);
  }

  return (
    <div className="controls">
      <fieldset className="chips">
        <legend className="visually-hidden">Types to recommend</legend>
        {types.map((type) => (
          <button
            key={type}
            type="button"
            className={`chip tone-${typeTone(type)}`}
            aria-pressed={shownTypes.has(type)}
            aria-disabled={isSurprising}
            onClick={() => {
              if (!isSurprising) toggle(type);
            }}
          >
            <TypeIcon type={type} />
            {typePlural(type)}
          </button>
        ))}
      </fieldset>
      {types.length > 1 && (
        <button
          type="button"
          className="chip chip-surprise"
          aria-pressed={isSurprising}
          onClick={() => onSurprising(!isSurprising)}
        >
          <Icon name="sparkle" /> Surprise me across domains
        </button>
      )}
      <p className="controls-note" role="status">
        {isSurprising &&
          (surprise?.sentence ??
            "Add something to your session first: a surprise is what it has least of.")}
      </p>
    </div>
  );
}
