// Takes the served model's figures by pair of types; gives a heat map whose cells say their values.

import type { ReactNode } from "react";
import type { TransitionFigures } from "../api/types";
import { countOf, interval, percent, timesChance } from "../format/numbers";
import { Sideways } from "../layout/Sideways";
import { TypeIcon } from "../types/icons";
import { typePlural } from "../types/names";
import { heatStep } from "./scale";

const HEAT_STEPS = 6;

interface Props {
  transitions: readonly TransitionFigures[];
  cutoff: number;
}

export function TransitionMap({ transitions, cutoff }: Props): ReactNode {
  const sources = [...new Set(transitions.map(({ source_type }) => source_type))].toSorted();
  const targets = [...new Set(transitions.map(({ target_type }) => target_type))].toSorted();
  const values = transitions.map(({ recall }) => recall.value);
  return (
    <Sideways label="Table of transitions">
      <table className="heat">
        <caption className="visually-hidden">
          Recall@{cutoff} of the model that answers, by the type before and the type after
        </caption>
        <thead>
          <tr>
            <th scope="col">
              From <span aria-hidden="true">↓</span> to <span aria-hidden="true">→</span>
            </th>
            {targets.map((target) => (
              <th key={target} scope="col">
                <span className="type-head">
                  <TypeIcon type={target} /> {typePlural(target)}
                </span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sources.map((source) => (
            <tr key={source}>
              <th scope="row">
                <span className="type-head">
                  <TypeIcon type={source} /> {typePlural(source)}
                </span>
              </th>
              {targets.map((target) => (
                <Cell
                  key={target}
                  figures={transitions.find(
                    (other) => other.source_type === source && other.target_type === target,
                  )}
                  values={values}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Sideways>
  );
}

interface CellProps {
  figures: TransitionFigures | undefined;
  values: readonly number[];
}

function Cell({ figures, values }: CellProps): ReactNode {
  if (!figures) return <td className="heat-cell heat-none">never seen</td>;
  const { recall, chance_recall, n_predictions } = figures;
  return (
    <td className={`heat-cell heat-${heatStep(recall.value, values, HEAT_STEPS)}`}>
      <span className="heat-value">{percent(recall.value)}</span>
      <span className="heat-more">{interval(recall, percent)}</span>
      <span className="heat-more">
        {chance_recall > 0 && `×${timesChance(recall.value, chance_recall)} chance · `}
        {countOf(n_predictions, "case", "cases")}
      </span>
    </td>
  );
}
