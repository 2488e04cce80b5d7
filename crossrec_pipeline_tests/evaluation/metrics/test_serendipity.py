import math

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.metrics import serendipity

RANKS = pl.DataFrame(
    {
        "source_type": ["Movie", "Movie", "Music", "Movie"],
        "target_type": ["Movie", "Music", "Movie", "Music"],
        "rank": [1, 5, 20, 21],
    }
)


def test_share_of_the_hits_whose_type_changes():
    assert serendipity.calc(RANKS, 20) == 2 / 3
    assert serendipity.calc(RANKS, 5) == 1 / 2
    assert serendipity.calc(RANKS, 1) == 0.0


def test_a_miss_has_no_value():
    np.testing.assert_equal(serendipity.per_prediction(RANKS, 20), [0.0, 1.0, 1.0, np.nan])


def test_no_hits_is_not_zero():
    assert math.isnan(serendipity.calc(RANKS.filter(pl.col("rank") > 20), 20))
    assert math.isnan(serendipity.calc(RANKS.clear(), 20))
