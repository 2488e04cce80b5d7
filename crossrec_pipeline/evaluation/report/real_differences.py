"""Paired differences go in; which of them are real comes out as a chart, a table and a matrix."""

from collections.abc import Sequence

from crossrec_pipeline.evaluation.measures import HEADLINE, HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.report.blocks import Fold, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.differences import Difference, Differences
from crossrec_pipeline.evaluation.report.drawings import drawing
from crossrec_pipeline.evaluation.report.figures import METRIC_NAMES
from crossrec_pipeline.evaluation.report.numbers import (
    NOTHING,
    p_value,
    signed,
    signed_interval,
)
from crossrec_pipeline.evaluation.report.standing import Standing


def difference_section(
    order: Standing, differences: Differences | None, types: Sequence[str]
) -> Section | None:
    """Compare the main model with each other, and all models with one another."""
    others = [model for model in order.trained if model != order.main]
    if differences is None or not others:
        return None
    from crossrec_pipeline.evaluation.charts import differences_from_main

    found = [(other, differences.between(order.main, other)) for other in others]
    rows = [(name, of.value, of.low, of.high, of.significant) for name, of in found if of]
    return Section(
        "differences",
        "Which differences are real",
        [
            Paragraph(
                "Both models of a pair are measured on the same predictions. The sessions of test "
                "are drawn anew with replacement, the same draw for both; a difference is called "
                "real where so many draws agree on its sign that its p-value stays below 0.05 "
                "after Holm's adjustment for all pairs. Real is bold."
            ),
            drawing(
                differences_from_main(rows, order.main),
                f"Recall@{HEADLINE_CUTOFF} of {order.main} minus that of each other model, with "
                "its 95 % interval. Right of the line it is ahead; a hollow point may be luck.",
            ),
            _by_metric(order.main, others, differences),
            Fold(
                "By type of the next item, and every model with every other",
                [_by_type(order.main, others, differences, types), _matrix(order, differences)],
            ),
        ],
    )


def _by_metric(main: str, others: Sequence[str], differences: Differences) -> Table:
    header = ["Other model"]
    for metric, k in HEADLINE:
        header += [f"{METRIC_NAMES[metric]}@{k}", "95 % interval", "p, adjusted"]
    rows, marked = [], set()
    for at, other in enumerate(others):
        row = [other]
        for metric, k in HEADLINE:
            found = differences.between(main, other, metric, k)
            if _is_real(found):
                marked.add((at, len(row)))
            row += [_value(found), _bounds(found), p_value(found.p_holm if found else None)]
        rows.append(row)
    return Table(f"{main} minus each other model", header, rows, marked=frozenset(marked))


def _by_type(
    main: str, others: Sequence[str], differences: Differences, types: Sequence[str]
) -> Table:
    header = ["Other model"]
    for type_ in types:
        header += [type_, "95 % interval"]
    rows, marked = [], set()
    for at, other in enumerate(others):
        row = [other]
        for type_ in types:
            found = differences.between(main, other, target_type=type_)
            if _is_real(found):
                marked.add((at, len(row)))
            row += [_value(found), _bounds(found)]
        rows.append(row)
    caption = f"{main} minus each other model, Recall@{HEADLINE_CUTOFF} by type of the next item"
    return Table(caption, header, rows, marked=frozenset(marked))


def _matrix(order: Standing, differences: Differences) -> Table:
    """Compare each model with each; columns are numbered, since their names would take the page."""
    models = order.trained
    rows, marked = [], set()
    for at, model in enumerate(models):
        row = [f"{at + 1} {model}"]
        for other in models:
            found = differences.between(model, other)
            if _is_real(found):
                marked.add((at, len(row)))
            row.append(_value(found))
        rows.append(row)
    header = ["Row minus column", *(str(number + 1) for number in range(len(models)))]
    caption = f"Recall@{HEADLINE_CUTOFF} of the row's model minus that of the column's"
    return Table(caption, header, rows, marked=frozenset(marked))


def _is_real(found: Difference | None) -> bool:
    return found is not None and bool(found.significant)


def _value(found: Difference | None) -> str:
    return NOTHING if found is None else signed(found.value)


def _bounds(found: Difference | None) -> str:
    return NOTHING if found is None else signed_interval(found.low, found.high)
