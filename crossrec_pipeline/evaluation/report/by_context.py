"""Figures by context go in; small charts of the main model and its rival come out."""

import polars as pl

from crossrec_pipeline.evaluation.contexts import GROUPS
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.report.blocks import Fold, Gallery, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.drawings import drawing
from crossrec_pipeline.evaluation.report.figures import Figure, Figures
from crossrec_pipeline.evaluation.report.standing import Standing

_TITLES = {
    "position": ("By place in the session", "Events seen so far"),
    "session_length": ("By length of the session", "Events of the session"),
    "target_popularity": ("By popularity of the next item", "Decile of train support"),
    "first_of_type": ("By whether the next item's type is new", "First of its type in the session"),
    "weekday": ("By weekday", "Weekday, UTC"),
    "known_user": ("By whether the user is known", "User has sessions in train"),
}
_READING = {
    "position": "How the figure changes as a session goes on.",
    "session_length": "All events of the session count, those still to come as well.",
    "target_popularity": "10 holds the tenth of the items that train met most often.",
    "first_of_type": "Yes: the session had no item of the next item's type before.",
    "weekday": "Of the session's start.",
    "known_user": "Models read the session alone: a known user tells them nothing.",
}


def context_section(metrics: pl.DataFrame, figures: Figures, order: Standing) -> Section | None:
    """Show where the main model and its rival do well; None where contexts were not evaluated."""
    measured = [slice_ for slice_ in GROUPS if _groups(figures, order.main, slice_)]
    if not measured:
        return None
    from crossrec_pipeline.evaluation.charts import context_lines

    drawings = [
        drawing(
            context_lines(metrics, slice_, _TITLES[slice_], order.pair, order.main),
            _READING[slice_],
        )
        for slice_ in measured
    ]
    return Section(
        "contexts",
        "By context",
        [
            Paragraph(
                f"Recall@{HEADLINE_CUTOFF} of {' and '.join(order.pair)}, with 95 % intervals. "
                "Groups without predictions are left out."
            ),
            Gallery(drawings),
            Fold(
                "The same figures, with their numbers of predictions",
                [_table(figures, order, slice_) for slice_ in measured],
            ),
        ],
    )


def _groups(figures: Figures, model: str, slice_: str) -> list[str]:
    return [
        group
        for group in GROUPS[slice_]
        if figures.number(model, Figure(slice=slice_, group=group)) is not None
    ]


def _table(figures: Figures, order: Standing, slice_: str) -> Table:
    title, axis_title = _TITLES[slice_]
    header = [axis_title, "n"]
    for model in order.pair:
        header += [model, "95 % interval"]
    rows = []
    for group in _groups(figures, order.main, slice_):
        figure = Figure(slice=slice_, group=group)
        row = [group, f"{figures.n(order.main, figure):,}"]
        for model in order.pair:
            row += [figures.text(model, figure), figures.interval(model, figure)]
        rows.append(row)
    return Table(f"{title}, Recall@{HEADLINE_CUTOFF}", header, rows)
