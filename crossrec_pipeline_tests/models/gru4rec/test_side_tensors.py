import numpy as np

from crossrec_pipeline.models.gru4rec.side_tensors import with_prefix, without_prefix


def test_what_is_kept_is_found_again_among_other_tensors():
    kept = with_prefix("events.", {"gap": np.arange(3)}, {"names": ["käufe", "views"]})

    assert all(name.startswith("events.") for name in kept)
    found = without_prefix("events.", {**kept, "gap": np.zeros(9), "content.gap": np.ones(2)})

    assert found is not None
    arrays, about = found
    assert list(arrays) == ["gap"]
    np.testing.assert_array_equal(arrays["gap"], [0, 1, 2])
    assert about == {"names": ["käufe", "views"]}


def test_where_nothing_was_kept_nothing_is_found():
    assert without_prefix("events.", {"gap": np.zeros(2)}) is None
    assert without_prefix("events.", with_prefix("content.", {}, {})) is None
