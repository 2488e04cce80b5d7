"""Sliced metrics of all models and their context go in, one report comes out: Markdown and HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.measures import CUTOFFS, HEADLINE_CUTOFF, WITHIN_TYPE
from crossrec_pipeline.evaluation.metrics import METRICS
from crossrec_pipeline.evaluation.slices import CHANCE, ORACLE, model_order
from crossrec_pipeline.rendering import svg

_TEMPLATES = Path(__file__).parent / "templates"
_NAMES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "mrr": "MRR",
    "ndcg": "NDCG",
    "map": "MAP",
}
_NOTHING = "–"
_KEYS = ("model", "relevance", "metric", "k", "slice", "source_type", "target_type", "group")
_HEADLINE = (("recall", 20), ("mrr", 20), ("ndcg", 20), ("precision", 10), ("recall", 10))
_METRIC_MEANINGS = {
    "precision": "the share of the first K items that is relevant",
    "recall": "the share of the relevant items that stands among the first K",
    "f1": "the harmonic mean of both: 2 hits / (K + number of relevant items)",
    "mrr": "1 / rank of the first relevant item, 0 where it stands behind the first K",
    "ndcg": "hits weighted by 1 / log2(1 + rank), divided by the best such sum that is possible",
    "map": "j / rank summed over hits, the j-th best placed, divided by the most hits possible",
}
_MODEL_MEANINGS = {
    CHANCE: "a random order of all items; exact expectation, not a draw",
    "popularity": "the items with the most events in train, the same for every session",
    "markov": "what followed the last seen item in train, then popularity",
    "gru4rec": "a recurrent network that reads the session so far",
    ORACLE: "the exact probabilities of the law that the log was drawn from",
}


@dataclass(frozen=True)
class PartCounts:
    """What one part of the split holds.

    Attributes
    ----------
    part
        ``train``, ``validation`` or ``test``.
    n_sessions, n_events, n_items
        Sessions, their events, and the distinct items among these.
    n_cold_events
        Events left out of the part since train does not hold their item.
    """

    part: str
    n_sessions: int
    n_events: int
    n_items: int
    n_cold_events: int


@dataclass(frozen=True)
class ReportContext:
    """What the metrics alone do not tell.

    Attributes
    ----------
    title
        Heading of the report.
    main_model
        The model whose transitions and training are shown.
    events
        Where the log came from, such as ``simulated, seed 7``.
    n_items_by_type
        Ranked items by type; their sum is the size of every ranking.
    parts
        Counts of train, validation and test.
    validation_start, test_start
        The two cuts in time: ISO 8601, shown to the minute, or text to be shown as it is.
    data_versions
        Content version of each input by name.
    command
        What to run to get these figures again.
    history
        One row an epoch of the main model's training (`FitReport.history`).
    notes
        Further sentences for the section on the measurement.
    produced_at
        When, as text; nothing is said when None, so that equal input gives an equal report.
    """

    title: str
    main_model: str
    events: str
    n_items_by_type: Mapping[str, int]
    parts: Sequence[PartCounts]
    validation_start: str
    test_start: str
    data_versions: Mapping[str, str]
    command: str
    history: Sequence[Mapping[str, float]] = ()
    notes: Sequence[str] = ()
    produced_at: str | None = None


@dataclass(frozen=True)
class Report:
    """The same report twice: Markdown (tables only) and one HTML page (with charts)."""

    markdown: str
    html: str


@dataclass(frozen=True)
class _Table:
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_text_columns: int = 1
    """Leading columns of words; the others are figures, aligned right."""


@dataclass(frozen=True)
class _Drawing:
    svg: str
    caption: str


@dataclass(frozen=True)
class _Section:
    heading: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[_Table] = ()
    drawings: Sequence[_Drawing] = ()
    """For HTML only."""
    command: str | None = None


@dataclass(frozen=True)
class _Figures:
    """Values of the long frame by key, formatted; a missing or null one is a dash."""

    models: Sequence[str]
    _by_key: Mapping[tuple, tuple] = field(repr=False)

    @classmethod
    def read(cls, metrics: pl.DataFrame) -> "_Figures":
        values = ("value", "n", "low", "high")
        return cls(
            model_order(metrics["model"]),
            {
                row[: len(_KEYS)]: row[len(_KEYS) :]
                for row in metrics.select(*_KEYS, *values).iter_rows()
            },
        )

    def _row(
        self,
        model: str,
        relevance: str,
        metric: str,
        k: int,
        slice_: str = "overall",
        source: str | None = None,
        target: str | None = None,
        group: str | None = None,
    ) -> tuple:
        key = (model, relevance, metric, k, slice_, source, target, group)
        return self._by_key.get(key, (None, 0, None, None))

    def number(self, *key: str | int | None) -> float | None:
        return self._row(*key)[0]  # type: ignore[arg-type]

    def n(self, *key: str | int | None) -> int:
        return self._row(*key)[1]  # type: ignore[arg-type]

    def text(self, *key: str | int | None) -> str:
        return _decimal(self.number(*key))

    def interval(self, *key: str | int | None) -> str:
        low, high = self._row(*key)[2:]  # type: ignore[arg-type]
        return _NOTHING if low is None else f"{low:.3f} to {high:.3f}"


def headline_table(metrics: pl.DataFrame) -> str:
    """Return the headline as plain text for a terminal, one line a model.

    Parameters
    ----------
    metrics
        Columns of `SLICED_METRICS`, of one or several models.
    """
    table = _headline(_Figures.read(metrics))
    lines = [table.header, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    aligned = [
        "  ".join(
            cell.ljust(width) if i < table.n_text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([aligned[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *aligned[1:]])


def build_report(metrics: pl.DataFrame, context: ReportContext) -> Report:
    """Write the evaluation of all models as Markdown and as a self-contained HTML page.

    Equal input gives equal text. The page needs no network: its charts are inline SVG.

    Parameters
    ----------
    metrics
        Columns of `SLICED_METRICS`: the results of `evaluate` and `evaluate_chance`, concatenated.
    context
        What else is to be said.

    Raises
    ------
    EvaluationError
        If the main model is not among the metrics, or the models were not evaluated on equally
        many predictions and so cannot be compared.
    """
    metrics = metrics.sort(_KEYS)  # charts draw in the order of rows
    figures = _Figures.read(metrics)
    n_predictions = _common_n(figures, context.main_model)
    sections = _sections(metrics, figures, context, n_predictions)
    return Report(_markdown(context, sections), _html(context, sections))


def _common_n(figures: _Figures, main_model: str) -> int:
    if main_model not in figures.models:
        raise EvaluationError(
            f"There are no metrics of the main model {main_model!r}, only of "
            f"{', '.join(figures.models) or 'none'}. Evaluate it, or name another main model."
        )
    counts = {
        model: figures.n(model, "next", "recall", HEADLINE_CUTOFF) for model in figures.models
    }
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{model} {n:,}" for model, n in counts.items())
        raise EvaluationError(
            f"The models were evaluated on different numbers of predictions ({listed}). Rank all "
            "of them on the same sessions."
        )
    return counts[main_model]


def _sections(
    metrics: pl.DataFrame, figures: _Figures, context: ReportContext, n_predictions: int
) -> list[_Section]:
    # Altair and its renderer take most of a second to import: only a report pays for them.
    from crossrec_pipeline.evaluation import charts

    types = sorted(context.n_items_by_type)  # the order of the charts
    k = HEADLINE_CUTOFF
    return [
        _Section(
            "Headline",
            _headline_words(figures, context, n_predictions),
            [
                _headline(figures),
                *([_oracle_share(figures)] if ORACLE in figures.models else []),
                _model_meanings(figures),
            ],
            [
                _Drawing(
                    svg(charts.recall_by_model(metrics)),
                    f"Share of the predictions whose true next item is among a model's first {k}. "
                    "The thin line is the 95 % interval.",
                )
            ],
        ),
        _Section(
            "All metrics",
            [
                "Next item: the one item that came next is relevant. Rest of the session: all "
                "distinct items still to come in the session are relevant."
            ],
            [
                _metric_meanings(),
                _all_metrics(figures, "next", "Next item"),
                _all_metrics(figures, "rest", "Rest of the session"),
            ],
            [
                _Drawing(
                    svg(charts.recall_curve(metrics)),
                    "How Recall@K grows with the number K of items that are shown.",
                )
            ],
        ),
        _Section(
            "By type of the next item",
            [
                "Among all items, the model must also find the right type; among its type alone, "
                "only items of the next item's type are ranked, which is easier. n counts the "
                "predictions."
            ],
            [
                _by_type(figures, types, "recall", f"Recall@{k} among all items"),
                _by_type(figures, types, WITHIN_TYPE, f"Recall@{k} among its type"),
            ],
            [
                _Drawing(
                    svg(charts.recall_by_type(metrics)),
                    f"Recall@{k} among all items, one panel for each type of the next item.",
                )
            ],
        ),
        _Section(
            "By transition",
            [
                f"Recall@{k} of {context.main_model} by the types of the last seen item (rows) "
                "and of the next item (columns); the number of predictions stands in brackets. "
                "Off the diagonal the next item is of another type than the last."
            ],
            [_transitions(figures, types, context.main_model)],
            [
                _Drawing(
                    svg(charts.transition_heat_map(metrics, context.main_model)),
                    f"Recall@{k} of {context.main_model} among all items; the darker, the higher. "
                    "n counts the predictions.",
                )
            ],
        ),
        _Section(
            "Micro and macro average",
            [
                "Micro: every prediction counts alike, so that the most frequent type decides. "
                "Macro: the mean over the types of the next item that occur."
            ],
            [_macro(figures)],
        ),
        *([_training(context)] if context.history else []),
        _measurement(context, n_predictions),
        _data_card(context),
        _Section("Reproduce", command=context.command),
    ]


def _headline_words(figures: _Figures, context: ReportContext, n_predictions: int) -> list[str]:
    words = [
        f"Log: {context.events}.",
        f"{n_predictions:,} predictions of the next item, each out of "
        f"{sum(context.n_items_by_type.values()):,} items, from the session so far. "
        f"Recall@{HEADLINE_CUTOFF} is the share of them whose true next item is among the first "
        f"{HEADLINE_CUTOFF} a model names. All figures lie between 0 and 1, and more is better.",
        "With one true next item, Precision@K cannot exceed 1/K: 0.100 at K = 10.",
    ]
    test = next((part for part in context.parts if part.part == "test"), None)
    if test is not None and test.n_cold_events:
        words.append(
            f"{test.n_cold_events:,} events of test are left out, since train holds their items "
            f"too seldom or not at all; {test.n_events:,} are left."
        )
    if ORACLE in figures.models:
        words[0] += (
            " The figures say how much of its known law the models have learnt, and nothing about "
            "how people behave."
        )
        words.append(
            "The oracle knows how the log was drawn: on average no model can do better than it."
        )
    return words


def _training(context: ReportContext) -> _Section:
    from crossrec_pipeline.evaluation.charts import training_curves

    rows = [
        [f"{row['epoch']:g}", _decimal(row.get("loss")), _decimal(row.get("recall_at_20"))]
        for row in context.history
    ]
    measured = [row for row in context.history if "recall_at_20" in row]
    best = max(measured, key=lambda row: row["recall_at_20"], default=None)
    words = ["The loss is the mean cross-entropy of a training step's predictions, in nats."]
    if best is not None:
        words.append(
            f"The weights of epoch {best['epoch']:g} are kept, the best on validation. Test was "
            "not looked at."
        )
    return _Section(
        f"Training of {context.main_model}",
        words,
        [_Table("By epoch", ["Epoch", "Training loss", "Validation Recall@20"], rows)],
        [
            _Drawing(
                svg(training_curves(context.history)),
                "Training loss and validation Recall@20 of each epoch. The vertical axes do not "
                "begin at 0.",
            )
        ],
    )


def _headline(figures: _Figures) -> _Table:
    header = ["Model", *(f"{_NAMES[metric]}@{k}" for metric, k in _HEADLINE)]
    header.insert(2, "95 % interval")  # beside the figure it is of, Recall@20
    rows = []
    for model in figures.models:
        row = [model, *(figures.text(model, "next", metric, k) for metric, k in _HEADLINE)]
        row.insert(2, figures.interval(model, "next", "recall", HEADLINE_CUTOFF))
        rows.append(row)
    return _Table("Next item, all types", header, rows)


def _oracle_share(figures: _Figures) -> _Table:
    measures = [("recall", HEADLINE_CUTOFF), ("mrr", HEADLINE_CUTOFF), ("ndcg", HEADLINE_CUTOFF)]
    rows = [
        [
            model,
            *(
                _share(
                    figures.number(model, "next", metric, k),
                    figures.number(ORACLE, "next", metric, k),
                )
                for metric, k in measures
            ),
        ]
        for model in figures.models
        if model != ORACLE
    ]
    return _Table(
        "Share of the oracle reached",
        ["Model", *(f"{_NAMES[metric]}@{k}" for metric, k in measures)],
        rows,
    )


def _model_meanings(figures: _Figures) -> _Table:
    rows = [[model, _MODEL_MEANINGS[model]] for model in figures.models if model in _MODEL_MEANINGS]
    return _Table("What each model goes by", ["Model", "Ranks items by"], rows, 2)


def _metric_meanings() -> _Table:
    rows = [[f"{_NAMES[metric]}@K", _METRIC_MEANINGS[metric]] for metric in METRICS]
    return _Table(
        "What each metric says of one prediction; reported is the mean over all predictions",
        ["Metric", "Of one prediction"],
        rows,
        2,
    )


def _all_metrics(figures: _Figures, relevance: str, caption: str) -> _Table:
    rows = [
        [model, str(k), *(figures.text(model, relevance, metric, k) for metric in METRICS)]
        for model in figures.models
        for k in CUTOFFS
    ]
    return _Table(caption, ["Model", "K", *(_NAMES[metric] for metric in METRICS)], rows)


def _by_type(figures: _Figures, types: Sequence[str], metric: str, caption: str) -> _Table:
    rows = []
    for type_ in types:
        keys = [
            (model, "next", metric, HEADLINE_CUTOFF, "target_type", None, type_)
            for model in figures.models
        ]
        rows.append([type_, f"{figures.n(*keys[0]):,}", *(figures.text(*key) for key in keys)])
    return _Table(caption, ["Next item", "n", *figures.models], rows)


def _transitions(figures: _Figures, types: Sequence[str], model: str) -> _Table:
    def cell(source: str, target: str) -> str:
        key = (model, "next", "recall", HEADLINE_CUTOFF, "transition", source, target)
        return f"{figures.text(*key)} ({figures.n(*key):,})"

    return _Table(
        f"Recall@{HEADLINE_CUTOFF} of {model} by transition (n)",
        ["From, to", *types],
        [[source, *(cell(source, target) for target in types)] for source in types],
    )


def _macro(figures: _Figures) -> _Table:
    measures = ("recall", "mrr", "ndcg")
    averages = {"overall": "micro", "macro": "macro"}
    header = [
        f"{_NAMES[metric]}@{HEADLINE_CUTOFF} {name}"
        for metric in measures
        for name in averages.values()
    ]
    rows = [
        [
            model,
            *(
                figures.text(model, "next", metric, HEADLINE_CUTOFF, slice_)
                for metric in measures
                for slice_ in averages
            ),
        ]
        for model in figures.models
    ]
    return _Table("Next item, micro and macro average over types", ["Model", *header], rows)


def _measurement(context: ReportContext, n_predictions: int) -> _Section:
    n_items = sum(context.n_items_by_type.values())
    return _Section(
        "How it was measured",
        [
            "The log is cut in time, at the same moments for all types: train before "
            f"{_moment(context.validation_start)}, validation from then on, test from "
            f"{_moment(context.test_start)} on. Sessions that straddle a cut are left out.",
            "Every event of a test session after its first is predicted from the earlier events "
            f"of that session and nothing else: {n_predictions:,} predictions.",
            f"Each time all {n_items:,} items known from train are ranked; none are sampled. "
            "Items seen in the session stay in the ranking.",
            "Ties count against the model: a rank is the number of items that score at least as "
            "high as the true one.",
            f"{CHANCE.capitalize()} is the exact expectation under a random order of all items. "
            "The 95 % intervals are a bootstrap over test sessions; they do not cover what another "
            "training seed would change.",
            *context.notes,
        ],
    )


def _data_card(context: ReportContext) -> _Section:
    parts = [
        [
            part.part,
            *(
                f"{count:,}"
                for count in (part.n_sessions, part.n_events, part.n_items, part.n_cold_events)
            ),
        ]
        for part in context.parts
    ]
    n_items = [[type_, f"{n:,}"] for type_, n in sorted(context.n_items_by_type.items())]
    versions = [[name, version] for name, version in context.data_versions.items()]
    return _Section(
        "Data",
        [
            "Cold events are of items that train holds too seldom or not at all: no model here "
            "can name them, and they are left out of the sessions. What is reported is about the "
            "other events only.",
        ],
        [
            _Table("Parts", ["Part", "Sessions", "Events", "Items", "Cold events"], parts),
            _Table("Ranked items", ["Type", "Items"], n_items),
            _Table("Versions of the inputs", ["Input", "Content version"], versions, 2),
        ],
    )


def _moment(text: str) -> str:
    """Show an ISO 8601 time to the minute; other text as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is not None:
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{moment:%Y-%m-%d %H:%M}"


def _decimal(value: float | None) -> str:
    if value is None:
        return _NOTHING
    # Chance among many items is small, but it is not 0.000.
    return f"{value:.5f}" if 0 < value < 0.001 else f"{value:.3f}"


def _share(value: float | None, best: float | None) -> str:
    return _NOTHING if value is None or not best else f"{100 * value / best:.1f} %"


def _markdown(context: ReportContext, sections: Sequence[_Section]) -> str:
    blocks = [f"# {context.title}"]
    if context.produced_at:
        blocks.append(f"Produced {context.produced_at}.")
    for section in sections:
        blocks.append(f"## {section.heading}")
        blocks.extend(section.paragraphs)
        for table in section.tables:
            blocks.extend([f"**{table.caption}**", _markdown_table(table)])
        if section.command:
            blocks.append(f"```\n{section.command}\n```")
    return "\n\n".join(blocks) + "\n"


def _markdown_table(table: _Table) -> str:
    rules = [
        "---" if column < table.n_text_columns else "---:" for column in range(len(table.header))
    ]
    lines = [
        [cell.replace("|", "\\|").replace("\n", " ") for cell in line]
        for line in (table.header, *table.rows)
    ]
    lines.insert(1, rules)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _html(context: ReportContext, sections: Sequence[_Section]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2").render(context=context, sections=sections)
