// Takes the served model's figures by type; gives a table of them against chance.

import type { ReactNode } from "react";
import type { TypeFigures } from "../api/types";
import { decimal, percent, timesChance, wholeNumber, wholePercent } from "../format/numbers";
import { Sideways } from "../layout/Sideways";
import { TypeIcon } from "../types/icons";
import { typePlural } from "../types/names";
import { Axis, DotWhisker } from "./DotWhisker";
import { FigureText } from "./ModelTable";
import { scaleFor } from "./scale";

interface Props {
  byType: readonly TypeFigures[];
  cutoff: number;
}

export function TypeTable({ byType, cutoff }: Props): ReactNode {
  const scale = scaleFor(byType.map((type) => type.recall));
  return (
    <Sideways label="Table by type">
      <table className="figures-table">
        <caption className="visually-hidden">
          The model that answers, by type of the next item
        </caption>
        <thead>
          <tr>
            <th scope="col">Next item</th>
            <td className="plot-cell">
              <Axis scale={scale} format={wholePercent} />
            </td>
            <th scope="col" className="number">
              Recall@{cutoff}
            </th>
            <th scope="col" className="number">
              Chance
            </th>
            <th scope="col" className="number">
              MRR@{cutoff}
            </th>
            <th scope="col" className="number">
              Predictions
            </th>
          </tr>
        </thead>
        <tbody>
          {byType.map((type) => (
            <tr key={type.item_type}>
              <th scope="row">
                <span className="type-head">
                  <TypeIcon type={type.item_type} /> {typePlural(type.item_type)}
                </span>
              </th>
              <td className="plot-cell">
                <DotWhisker
                  figure={type.recall}
                  scale={scale}
                  chance={type.chance_recall}
                  isServed={false}
                />
              </td>
              <td className="number">
                <FigureText figure={type.recall} format={percent} />
              </td>
              <td className="number">
                <span className="figure-value">{percent(type.chance_recall)}</span>
                <span className="figure-interval">
                  {type.chance_recall > 0 &&
                    `×${timesChance(type.recall.value, type.chance_recall)}`}
                </span>
              </td>
              <td className="number">
                <FigureText figure={type.mrr} format={decimal} />
              </td>
              <td className="number">{wholeNumber(type.n_predictions)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Sideways>
  );
}
