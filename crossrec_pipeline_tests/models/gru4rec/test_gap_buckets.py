import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.models.gru4rec.gap_buckets import BOUNDS_S, N_BUCKETS, gap_buckets


@pytest.mark.parametrize(
    ("gap_s", "bucket"),
    [
        *((0, 0), (1, 1), (2, 1), (3, 2), (5, 2), (6, 3), (15, 3), (16, 4), (60, 4)),
        *((61, 5), (300, 5), (301, 6), (1_800, 6), (1_801, 7), (14_400, 7), (14_401, 8)),
        (2**32 - 1, 8),
    ],
)
def test_buckets_by_hand(gap_s: int, bucket: int):
    assert gap_buckets(np.array([gap_s], dtype=np.uint32)).tolist() == [bucket]


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_longer_gaps_are_in_no_earlier_bucket(gaps: list[int]):
    buckets = gap_buckets(np.array(sorted(gaps), dtype=np.uint32))
    assert buckets.dtype == np.int64
    assert (np.diff(buckets) >= 0).all()
    assert all(0 <= bucket < N_BUCKETS for bucket in buckets)


def test_every_bucket_is_reached():
    assert set(gap_buckets(np.array([*BOUNDS_S, 10**6]))) == set(range(N_BUCKETS))
