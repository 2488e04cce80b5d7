// Takes the figures of all models; gives a table with one of the three measures drawn.

import { type ReactNode, useState } from "react";
import type { Figure, ModelFigures } from "../api/types";
import { decimal, interval, percent, wholePercent } from "../format/numbers";
import { Sideways } from "../layout/Sideways";
import { Axis, DotWhisker } from "./DotWhisker";
import { scaleFor } from "./scale";

type Measure = "recall" | "mrr" | "ndcg";

const MEASURES: readonly Measure[] = ["recall", "mrr", "ndcg"];
const NAMES: Record<Measure, string> = { recall: "Recall", mrr: "MRR", ndcg: "NDCG" };
const IN_WORDS: Record<Measure, string> = {
  recall: "how often the item that really came next is in the list",
  mrr: "one divided by its place in the list, on average; nothing where it is missing",
  ndcg: "like MRR, but later places cost less",
};
export const CHANCE = "chance";

interface Props {
  models: readonly ModelFigures[];
  cutoff: number;
}

export function ModelTable({ models, cutoff }: Props): ReactNode {
  const [drawn, setDrawn] = useState<Measure>("recall");
  const scale = scaleFor(models.map((model) => model[drawn]));
  const chance = models.find(({ model }) => model === CHANCE)?.[drawn].value ?? null;

  return (
    <>
      <fieldset className="segments">
        <legend>Drawn</legend>
        {MEASURES.map((measure) => (
          <label key={measure} className="segment">
            <input
              type="radio"
              name="measure"
              checked={measure === drawn}
              onChange={() => setDrawn(measure)}
            />
            <span>
              {NAMES[measure]}@{cutoff}
            </span>
          </label>
        ))}
      </fieldset>
      <p className="muted">
        {NAMES[drawn]}@{cutoff}: {IN_WORDS[drawn]}.
      </p>
      <Sideways label="Table of models">
        <table className="figures-table">
          <caption className="visually-hidden">
            All models on the same predictions, with 95 % intervals
          </caption>
          <thead>
            <tr>
              <th scope="col">Model</th>
              <td className="plot-cell">
                <Axis scale={scale} format={drawn === "recall" ? wholePercent : shortDecimal} />
              </td>
              {MEASURES.map((measure) => (
                <th key={measure} scope="col" className="number">
                  {NAMES[measure]}@{cutoff}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {models.map((model) => (
              <tr key={model.model} className={model.served ? "is-served" : ""}>
                <th scope="row">
                  {model.label}
                  {model.served && <span className="mark">serving</span>}
                </th>
                <td className="plot-cell">
                  <DotWhisker
                    figure={model[drawn]}
                    scale={scale}
                    chance={chance}
                    isServed={model.served}
                  />
                </td>
                {MEASURES.map((measure) => (
                  <td key={measure} className="number">
                    <FigureText
                      figure={model[measure]}
                      format={measure === "recall" ? percent : decimal}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Sideways>
      <p className="hint">
        Dots are the measured figures, whiskers their 95 % intervals, the diamond is the model that
        answers here{chance === null ? "." : ", and the dashed line is blind chance."}
      </p>
    </>
  );
}

interface FigureTextProps {
  figure: Figure;
  format: (value: number) => string;
}

export function FigureText({ figure, format }: FigureTextProps): ReactNode {
  return (
    <>
      <span className="figure-value">{format(figure.value)}</span>
      <span className="figure-interval">{interval(figure, format)}</span>
    </>
  );
}

function shortDecimal(value: number): string {
  return Number(value.toFixed(3)).toString();
}
