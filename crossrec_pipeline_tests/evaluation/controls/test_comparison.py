import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.evaluation.controls.comparison import (
    AFTER_ANOTHER_TYPE,
    COMPARED,
    after_another_type,
    by_target_type,
    chance_values,
    compare,
    next_item_values,
    overall,
)
from crossrec_pipeline_tests.evaluation.rank_frames import ranks_of

SESSION = np.array([0, 0, 1, 2])
RANKS = ranks_of(
    (0, 1, "Movie", "Movie", 1, 1, [1]),
    (0, 2, "Movie", "Book", 4, 2, [4]),
    (1, 1, "Book", "Book", 30, 5, [30]),
    (2, 1, "Book", "Movie", 2, 1, [2]),
)
ONE_LOST = next_item_values(np.array([1, 25, 30, 2]))
MAIN = next_item_values(RANKS["rank"].to_numpy())


def row(frame: pl.DataFrame, metric: str, target_type: str | None = None) -> dict:
    rows = frame.filter(
        pl.col("metric") == metric, pl.col("target_type").eq_missing(pl.lit(target_type))
    )
    assert rows.height == 1
    return rows.row(0, named=True)


def test_a_difference_by_hand():
    found = compare(ONE_LOST, "gru4rec", MAIN, SESSION, overall(4))

    assert found.schema == pl.Schema(COMPARED)
    # Within the first 20: ranks 1 and 2 of 1, 25, 30, 2; ranks 1, 4 and 2 of 1, 4, 30, 2.
    recall = row(found, "recall")
    figures = ("value", "reference_value", "difference")
    assert [recall[name] for name in figures] == [2 / 4, 3 / 4, -1 / 4]
    assert (recall["reference"], recall["k"], recall["n"]) == ("gru4rec", 20, 4)
    # (1 + 1/2) / 4 and (1 + 1/4 + 1/2) / 4.
    mrr = row(found, "mrr")
    assert [mrr[name] for name in figures] == pytest.approx([0.375, 0.4375, -0.0625])


def test_the_interval_is_of_sessions_drawn_together():
    found = row(compare(ONE_LOST, "gru4rec", MAIN, SESSION, overall(4)), "recall")

    # Session 0 lost one of its two predictions. In 8 of 27 draws it is absent: no difference. In
    # 1 of 27, more than 2.5 %, all three are session 0: 3 of 6 predictions are lost.
    assert (found["low"], found["high"]) == (-0.5, 0.0)


def test_slices_hold_their_own_predictions():
    slices = {**by_target_type(RANKS), **after_another_type(RANKS)}
    found = compare(ONE_LOST, "gru4rec", MAIN, SESSION, slices)

    assert found["target_type"].to_list()[::2] == ["Book", "Movie", AFTER_ANOTHER_TYPE]
    # Books 4 and 30; movies 1 and 2; a book after a movie, 4, and a movie after a book, 2.
    assert row(found, "recall", "Book")["difference"] == -1 / 2
    assert row(found, "recall", "Movie")["difference"] == 0
    assert row(found, "recall", AFTER_ANOTHER_TYPE)["difference"] == -1 / 2
    assert found["n"].to_list() == [2] * 6


def test_chance_by_hand():
    values = chance_values(2, 100)
    # 20 of 100 items; (1 + 1/2 + … + 1/20) / 100.
    assert values["recall"].tolist() == pytest.approx([0.2, 0.2])
    assert values["mrr"].tolist() == pytest.approx([sum(1 / r for r in range(1, 21)) / 100] * 2)


def test_predictions_of_one_session_have_no_interval():
    ranks = next_item_values(np.array([1, 30]))
    found = row(compare(ranks, "chance", chance_values(2, 40), np.zeros(2), overall(2)), "recall")
    assert found["difference"] == 0.0
    assert (found["low"], found["high"]) == (None, None)


def test_without_predictions_every_figure_is_null():
    nothing = next_item_values(np.zeros(0, dtype=np.int32))
    found = compare(nothing, "chance", chance_values(0, 40), np.zeros(0), overall(0))
    assert found["n"].to_list() == [0, 0]
    figures = found.select("value", "reference_value", "difference", "low", "high")
    assert figures.rows() == [(None,) * 5] * 2


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 40), st.integers(1, 40)), min_size=1))
def test_figures_are_means_and_the_interval_holds_what_is_drawn(rows):
    session, ours, theirs = (np.array(column) for column in zip(*sorted(rows), strict=True))
    found = compare(
        next_item_values(ours), "other", next_item_values(theirs), session, overall(len(rows))
    )
    recall = row(found, "recall")
    assert recall["value"] == pytest.approx(sum(rank <= 20 for rank in ours) / len(rows))
    assert recall["reference_value"] == pytest.approx(sum(r <= 20 for r in theirs) / len(rows))
    assert recall["difference"] == pytest.approx(recall["value"] - recall["reference_value"])
    by_session: dict[int, list[int]] = {}
    for of_session, rank, other_rank in rows:
        by_session.setdefault(of_session, []).append((rank <= 20) - (other_rank <= 20))
    # Whatever is drawn, its mean lies between those of the best and of the worst session.
    means = [sum(values) / len(values) for values in by_session.values()]
    if len(means) > 1:
        assert min(means) - 1e-12 <= recall["low"] <= recall["high"] <= max(means) + 1e-12
