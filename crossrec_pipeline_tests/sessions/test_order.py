import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.sessions.order import order_by_start

sessions = st.lists(
    st.tuples(
        st.integers(-3, 3), st.sampled_from(["", "a", "b"]), st.sampled_from([None, "u", "ü"])
    )
)


@given(sessions)
def test_order_is_that_of_start_then_names_nulls_first(
    rows: list[tuple[int, str, str | None]],
) -> None:
    names = pl.DataFrame(
        {"session_id": [row[1] for row in rows], "user_id": [row[2] for row in rows]},
        schema={"session_id": pl.String, "user_id": pl.String},
    )
    order = order_by_start(np.array([row[0] for row in rows], dtype=np.int64), lambda n: names[n])
    assert order.tolist() == sorted(
        range(len(rows)),
        key=lambda n: (rows[n][0], rows[n][1], rows[n][2] is not None, rows[n][2] or ""),
    )


def test_names_are_looked_at_only_where_starts_are_equal() -> None:
    asked = []

    def names(tied: np.ndarray) -> pl.DataFrame:
        asked.append(sorted(tied.tolist()))
        return pl.DataFrame({"name": [f"{9 - n}" for n in tied]})

    assert order_by_start(np.array([7, 3, 7, 1]), names).tolist() == [3, 1, 2, 0]
    assert asked == [[0, 2]]
