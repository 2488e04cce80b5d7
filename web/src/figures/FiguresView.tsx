// Takes the served model; gives how it was measured, how it did, and what it is.

import type { ReactNode } from "react";
import type { Evaluation, ModelAnswer } from "../api/types";
import { countOf, interval, longDate, percent, timesChance, wholeNumber } from "../format/numbers";
import { Fact } from "../layout/Fact";
import { Markdown } from "../markdown/Markdown";
import { Failed } from "../requests/Failed";
import type { Asked } from "../requests/useAnswer";
import { CHANCE, ModelTable } from "./ModelTable";
import { TransitionMap } from "./TransitionMap";
import { TypeTable } from "./TypeTable";

export function FiguresView({ asked }: { asked: Asked<string, ModelAnswer> }): ReactNode {
  const { answer: model, failure } = asked;
  return (
    <div className="figures">
      <h1>How good is it?</h1>
      {failure && (
        <Failed
          failure={failure}
          nextTry={asked.nextTry}
          isLoading={asked.isLoading}
          onTryAgain={asked.tryAgain}
        />
      )}
      {!model && !failure && (
        <div aria-busy="true">
          <span className="skeleton skeleton-line" />
          <span className="skeleton skeleton-block" />
        </div>
      )}
      {model?.refused && (
        <div className="notice notice-bad" role="note">
          <strong>A newer model is not served</strong>
          <p>
            {model.refused.name} was promoted but could not be loaded, so {model.name} goes on
            answering. {model.refused.reason}
          </p>
        </div>
      )}
      {model?.evaluation && <Measured evaluation={model.evaluation} />}
      {model && !model.evaluation && (
        <p className="notice">
          No figures were exported with this model, so nothing can be said here about its quality.
        </p>
      )}
      {model && <Served model={model} />}
    </div>
  );
}

function Measured({ evaluation }: { evaluation: Evaluation }): ReactNode {
  const { cutoff, models, by_type, transitions, notes } = evaluation;
  return (
    <>
      <Summary evaluation={evaluation} />
      <section aria-labelledby="models-title" className="panel">
        <h2 id="models-title">All models, on the same predictions</h2>
        <ModelTable models={models} cutoff={cutoff} />
      </section>
      {by_type.length > 0 && (
        <section aria-labelledby="types-title" className="panel">
          <h2 id="types-title">By type of the next item</h2>
          <TypeTable byType={by_type} cutoff={cutoff} />
          <p className="hint">
            The dashed line is chance: what a random order of all items would reach.
          </p>
        </section>
      )}
      {transitions.length > 0 && (
        <section aria-labelledby="transitions-title" className="panel">
          <h2 id="transitions-title">Across domains</h2>
          <p className="muted">
            How often the item that really came next is among the first {cutoff}, by the type of the
            item before it and its own. The colours go from the least to the largest value here.
          </p>
          <TransitionMap transitions={transitions} cutoff={cutoff} />
        </section>
      )}
      <section aria-labelledby="how-title" className="panel">
        <h2 id="how-title">How this was measured</h2>
        <dl className="facts">
          <Fact name="Log">{evaluation.events}</Fact>
          <Fact name="Tested from">{evaluation.test_start && longDate(evaluation.test_start)}</Fact>
          <Fact name="Predictions">{wholeNumber(evaluation.n_predictions)}</Fact>
          <Fact name="Items ranked">{wholeNumber(evaluation.n_items)}, at each prediction</Fact>
        </dl>
        <ul className="prose">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
          <li>
            Intervals hold the true figure in 95 % of such tests. Models whose intervals overlap may
            differ all the same: the evaluation report compares them in pairs.
          </li>
        </ul>
      </section>
    </>
  );
}

function Summary({ evaluation }: { evaluation: Evaluation }): ReactNode {
  const { models, cutoff, n_predictions } = evaluation;
  const served = models.find((model) => model.served);
  const chance = models.find(({ model }) => model === CHANCE);
  if (!served) return null;
  const bounds = interval(served.recall, percent);
  return (
    <p className="lead">
      In <strong>{percent(served.recall.value)}</strong> of{" "}
      {countOf(n_predictions, "test case", "test cases")}, the item that really came next was among
      the first {cutoff} that {served.label} recommends
      {bounds !== "" && <> (95 % interval: {bounds})</>}.
      {chance && chance.recall.value > 0 && (
        <>
          {" "}
          That is {timesChance(served.recall.value, chance.recall.value)} times what blind chance
          would reach, {percent(chance.recall.value)}.
        </>
      )}
    </p>
  );
}

function Served({ model }: { model: ModelAnswer }): ReactNode {
  const kernel = Object.entries(model.kernel);
  return (
    <section aria-labelledby="served-title" className="panel">
      <h2 id="served-title">The model that answers</h2>
      <dl className="facts">
        <Fact name="Model">{model.name}</Fact>
        <Fact name="Items">{wholeNumber(model.n_items)}</Fact>
        <Fact name="Promoted">{model.promoted_at && longDate(model.promoted_at)}</Fact>
        <Fact name="Reason">{model.reason}</Fact>
        <Fact name="Data">{model.data_version}</Fact>
      </dl>
      {kernel.length > 0 && (
        <>
          <h3>What ranks</h3>
          <dl className="facts">
            {kernel.map(([name, value]) => (
              <Fact key={name} name={name.replaceAll("_", " ")}>
                {typeof value === "number" ? wholeNumber(value) : String(value ?? "")}
              </Fact>
            ))}
          </dl>
        </>
      )}
      <details className="model-card">
        <summary>Model card</summary>
        <div className="prose">
          <Markdown text={model.card} topLevel={3} />
        </div>
      </details>
    </section>
  );
}
