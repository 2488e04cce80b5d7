import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.layouts import GroupLayout, SliceName, TargetLayout, TypeLayout

TYPES = ["Book", "Movie", "Music"]
RANKS = pl.DataFrame(
    {
        "source_type": ["Movie", "Movie", "Music", "Movie"],
        "target_type": ["Movie", "Music", "Movie", "Movie"],
    }
)
VALUES = np.array([1.0, 0.5, 0.0, 0.25])


def means(layout: TypeLayout | TargetLayout | GroupLayout) -> dict[SliceName, float]:
    counts = np.bincount(layout.cell, minlength=layout.n_cells)
    sums = np.bincount(layout.cell, weights=VALUES, minlength=layout.n_cells)
    return dict(zip(layout.names, layout.means(sums, counts).tolist(), strict=True))


def test_types_by_hand():
    found = means(TypeLayout(RANKS, TYPES))

    assert len(found) == 1 + 3 + 9 + 1
    assert found[SliceName("overall")] == 1.75 / 4
    assert found[SliceName("target_type", None, "Movie")] == 1.25 / 3
    assert found[SliceName("transition", "Movie", "Movie")] == 1.25 / 2
    assert found[SliceName("transition", "Music", "Movie")] == 0.0
    assert np.isnan(found[SliceName("target_type", None, "Book")])
    assert found[SliceName("macro")] == pytest.approx((1.25 / 3 + 0.5 / 1) / 2)


def test_targets_are_the_same_slices_without_their_sources():
    types, targets = means(TypeLayout(RANKS, TYPES)), means(TargetLayout(RANKS, TYPES))

    assert list(targets) == list(types)[: 1 + 3]
    np.testing.assert_equal(list(targets.values()), list(types.values())[: 1 + 3])


def test_groups_by_hand():
    weekday = pl.Series(
        ["Sunday", "Monday", "Sunday", "Sunday"], dtype=pl.Enum(["Monday", "Sunday"])
    )

    found = means(GroupLayout(pl.DataFrame({"weekday": weekday}), "weekday"))

    assert found == {
        SliceName("weekday", group="Monday"): 0.5,
        SliceName("weekday", group="Sunday"): 1.25 / 3,
    }


@pytest.mark.parametrize("layout", [TypeLayout, TargetLayout])
def test_many_resamples_are_averaged_as_one(layout: type[TypeLayout] | type[TargetLayout]):
    made = layout(RANKS, TYPES)
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 3, (6, made.n_cells))
    sums = rng.random((6, made.n_cells)) * counts

    together = made.means(sums, counts)

    for one in range(6):
        np.testing.assert_allclose(together[one], made.means(sums[one], counts[one]))
    assert np.array_equal(np.isnan(together), made.counts(counts) == 0)


@pytest.mark.parametrize("layout", [TypeLayout, TargetLayout])
def test_a_type_nobody_named_is_refused(layout: type[TypeLayout] | type[TargetLayout]):
    with pytest.raises(EvaluationError, match=r"target_type .* holds 'Music'"):
        layout(RANKS.with_columns(source_type=pl.lit("Movie")), ["Book", "Movie"])
