"""Figures and differences go in; what a reader should take away comes out, in words."""

from collections.abc import Sequence

from crossrec_pipeline.evaluation.measures import HEADLINE, HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.report.blocks import Lead, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.context import ReportContext
from crossrec_pipeline.evaluation.report.differences import Difference, Differences
from crossrec_pipeline.evaluation.report.figures import METRIC_NAMES, RECALL, Figure, Figures
from crossrec_pipeline.evaluation.report.numbers import joined, p_value, percent, share_of
from crossrec_pipeline.evaluation.report.standing import POPULARITY, Standing
from crossrec_pipeline.evaluation.slices import CHANCE, ORACLE


def verdict_section(
    figures: Figures,
    order: Standing,
    differences: Differences | None,
    types: Sequence[str],
    context: ReportContext,
) -> Section:
    """Say which model is best, by how much, whether that is real, and what it is worth."""
    sentences = [_who_leads(figures, order, differences), *_by_type(order, differences, types)]
    log = f"Log: {context.events}."
    if ORACLE in figures.models:
        log += (
            " The figures say how much of its known law the models have learnt, and nothing about "
            "how people behave."
        )
    return Section(
        "verdict",
        "In short",
        [
            Lead(sentences),
            *(Paragraph(text) for text in _worth(figures, order)),
            _summary(figures, order),
            Paragraph(log),
        ],
    )


def _who_leads(figures: Figures, order: Standing, differences: Differences | None) -> str:
    recall = figures.number(order.main)
    if order.rival is None or recall is None:
        return (
            f"{order.main} names the true next item among its first {HEADLINE_CUTOFF} in "
            f"{percent(recall)} of the predictions. There is no other model to compare it with."
        )
    rival_recall = figures.number(order.rival) or 0.0
    leads = recall >= rival_recall
    best, second = (order.main, order.rival) if leads else (order.rival, order.main)
    ahead = f"{100 * abs(recall - rival_recall):.1f} percentage points"
    role = "its best rival" if leads else "the main model of this report"
    found = differences and differences.between(best, second)
    return (
        f"{best} ranks best: the true next item is among its first {HEADLINE_CUTOFF} in "
        f"{percent(max(recall, rival_recall))} of the predictions, {ahead} more often than with "
        f"{second}, {role}{_bounds(found)}. {_whether_real(found, differences)}"
    )


def _bounds(found: Difference | None) -> str:
    if found is None or found.low is None or found.high is None:
        return ""
    low, high = (f"{100 * end:.1f}".replace("-", "−") for end in (found.low, found.high))
    return f" (95 % interval of the difference: {low} to {high} points)"


def _whether_real(found: Difference | None, differences: Differences | None) -> str:
    if found is None or found.significant is None or differences is None:
        return "Whether the difference is real was not tested."
    adjusted = f"p = {p_value(found.p_holm)}".replace("= <", "<")
    if differences.n_pairs > 1:
        adjusted += f" after the adjustment for all {differences.n_pairs} pairs of models"
    if found.significant:
        return f"The difference is real, not the luck of which sessions are in test ({adjusted})."
    return f"The difference may be the luck of which sessions are in test ({adjusted})."


def _by_type(order: Standing, differences: Differences | None, types: Sequence[str]) -> list[str]:
    if order.rival is None or differences is None:
        return []
    ahead, behind, open_ = [], [], []
    for type_ in types:
        found = differences.between(order.main, order.rival, target_type=type_)
        if found is None:
            continue
        kind = open_ if not found.significant else ahead if found.value > 0 else behind
        kind.append(type_)
    parts = []
    if ahead:
        parts.append(f"{order.main} is ahead of {order.rival} for {joined(ahead)}")
    if behind:
        parts.append(f"{order.main} is behind {order.rival} for {joined(behind)}")
    if open_:
        parts.append(f"the two cannot be told apart for {joined(open_)}")
    return [f"By the type of the next item, {'; '.join(parts)}."] if parts else []


def _worth(figures: Figures, order: Standing) -> list[str]:
    recall = figures.number(order.main)
    if recall is None:
        return []
    times = [
        f"{recall / value:.1f} times those of {name}"
        for name in (POPULARITY, CHANCE)
        if name != order.main and (value := figures.number(name))
    ]
    words = [f"The hits of {order.main} are {joined(times)}."] if times else []
    share = share_of(recall, figures.number(ORACLE))
    if ORACLE in figures.models:
        words.append(
            f"It reaches {share} of the oracle, which knows how the log was drawn: on average no "
            "model can do better than the oracle."
        )
    return [" ".join(words)] if words else []


def _summary(figures: Figures, order: Standing) -> Table:
    roles = {
        POPULARITY: "the same items for everybody",
        CHANCE: "a random order",
        ORACLE: "the best that is possible",
        order.rival: "best rival",
        order.main: "main model",
    }
    has_oracle = ORACLE in figures.models
    header = ["Model", "Role", *(f"{METRIC_NAMES[metric]}@{k}" for metric, k in HEADLINE)]
    rows = [
        [
            model,
            roles[model],
            *(figures.text(model, Figure(metric, k)) for metric, k in HEADLINE),
            *([share_of(figures.number(model), figures.number(ORACLE))] if has_oracle else []),
        ]
        for model in order.shown
    ]
    if has_oracle:
        header.append("Share of the oracle")
    header.insert(3, "95 % interval")  # beside the figure it is of, Recall@20
    for model, row in zip(order.shown, rows, strict=True):
        row.insert(3, figures.interval(model, RECALL))
    return Table("The main model, and what to read it by", header, rows, 2)
