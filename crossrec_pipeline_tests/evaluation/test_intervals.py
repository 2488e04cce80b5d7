import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.bootstrap import interval
from crossrec_pipeline.evaluation.intervals import INTERVALS, intervals
from crossrec_pipeline.evaluation.layouts import GroupLayout, TypeLayout
from crossrec_pipeline.evaluation.measures import Measure

TYPES = ["Movie", "Music"]
N_SESSIONS, N_RESAMPLES, SEED = 12, 300, 3
RNG = np.random.default_rng(6)
SESSION = np.sort(RNG.integers(0, N_SESSIONS, 70))
RANKS = pl.DataFrame(
    {name: RNG.choice(TYPES, len(SESSION)) for name in ("source_type", "target_type")}
)
CONTEXTS = pl.DataFrame(
    {
        "weekday": pl.Series(
            RNG.choice(["Monday", "Sunday"], len(SESSION)),
            dtype=pl.Enum(["Monday", "Sunday", "Friday"]),
        )
    }
)
MEASURES = [Measure("next", "recall", 20, RNG.random(len(SESSION))) for _ in range(2)]
MEASURES[1] = Measure("next", "mrr", 20, MEASURES[1].values)
FOUND = intervals(
    SESSION,
    [TypeLayout(RANKS, TYPES), GroupLayout(CONTEXTS, "weekday")],
    MEASURES,
    n_resamples=N_RESAMPLES,
    seed=SEED,
)


def resampled_means(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Draw the sessions one resample after the other and average what they hold."""
    rng = np.random.default_rng(SEED)
    means = []
    for drawn in rng.integers(0, N_SESSIONS, (N_RESAMPLES, N_SESSIONS)):
        taken = [values[(session == SESSION) & chosen] for session in drawn]
        means.append(np.concatenate(taken).mean())
    return np.array(means)


def test_equal_to_drawing_sessions_one_by_one():
    everything = np.ones(len(SESSION), dtype=bool)
    chosen = {
        ("overall", None, None): everything,
        ("target_type", "Music", None): (RANKS["target_type"] == "Music").to_numpy(),
        ("weekday", None, "Sunday"): (CONTEXTS["weekday"] == "Sunday").to_numpy(),
    }
    for (slice_, target, group), rows in chosen.items():
        for measure in MEASURES:
            expected = interval(resampled_means(measure.values, rows))
            found = FOUND.filter(
                pl.col("slice") == slice_,
                pl.col("target_type").eq_missing(pl.lit(target)),
                pl.col("group").eq_missing(pl.lit(group)),
                pl.col("metric") == measure.metric,
            ).select("standard_error", "low", "high")
            np.testing.assert_allclose(found.row(0), list(vars(expected).values()))


def test_the_macro_average_is_that_of_the_types_of_each_resample():
    music = (RANKS["target_type"] == "Music").to_numpy()
    values = MEASURES[0].values
    macro = (resampled_means(values, music) + resampled_means(values, ~music)) / 2

    found = FOUND.filter(pl.col("slice") == "macro", pl.col("metric") == "recall")

    np.testing.assert_allclose(
        found.select("standard_error", "low", "high").row(0), list(vars(interval(macro)).values())
    )


def test_a_group_of_fewer_than_two_sessions_has_no_row():
    assert FOUND.schema == pl.Schema(INTERVALS)
    groups = FOUND.filter(pl.col("slice") == "weekday")["group"].unique().sort().to_list()
    assert groups == ["Monday", "Sunday"]


def test_no_predictions_have_no_intervals():
    nothing = [Measure("next", "recall", 20, np.zeros(0))]

    found = intervals(
        SESSION[:0], [TypeLayout(RANKS.clear(), TYPES)], nothing, n_resamples=10, seed=0
    )

    assert found.height == 0
    assert found.schema == pl.Schema(INTERVALS)
