// Takes the model's types; gives sessions that an empty start can begin with.

import type { ReactNode } from "react";
import type { ItemSummary } from "../api/types";
import { useAnswer } from "../requests/useAnswer";
import { TypeIcon } from "../types/icons";
import { type Example, findExamples } from "./examples";

interface Props {
  types: readonly string[];
  onStart: (items: readonly ItemSummary[]) => void;
}

export function Examples({ types, onStart }: Props): ReactNode {
  const { answer } = useAnswer(findExamples, types.length > 0 ? types : null);
  return (
    <div className="start">
      <p className="start-text">
        Nothing here yet. Search for something you liked, or try one of these:
      </p>
      <ul className="examples" aria-busy={answer === null}>
        {answer?.map((example) => (
          <li key={example.name}>
            <ExampleButton example={example} onStart={onStart} />
          </li>
        ))}
        {answer === null &&
          types.map((type) => (
            <li key={type} className="example" aria-hidden="true">
              <span className="skeleton skeleton-line" />
            </li>
          ))}
      </ul>
    </div>
  );
}

interface ExampleProps {
  example: Example;
  onStart: (items: readonly ItemSummary[]) => void;
}

function ExampleButton({ example, onStart }: ExampleProps): ReactNode {
  return (
    <button type="button" className="example" onClick={() => onStart(example.items)}>
      <span className="example-name">Try: {example.name}</span>
      <span className="example-icons">
        {[...new Set(example.items.map((item) => item.item_type))].map((type) => (
          <TypeIcon key={type} type={type} />
        ))}
      </span>
      <span className="example-titles">{example.items.map((item) => item.title).join(" · ")}</span>
    </button>
  );
}
