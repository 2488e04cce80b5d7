from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.sessions.waiting_pieces import NamedPieces, WaitingPieces


def pieces(*rows: tuple[int, str, list[int]]) -> NamedPieces:
    """Make pieces of a start, a session id and items; they last 5 µs."""
    starts, names, items = zip(*rows, strict=True)
    start_us = np.array(starts, dtype=np.int64)
    return NamedPieces(
        np.array([index for of_piece in items for index in of_piece], dtype=np.int32),
        np.zeros(len(rows), dtype=np.int8),
        np.array([len(of_piece) for of_piece in items]),
        start_us,
        start_us + 5,
        pl.DataFrame({"session_id": names, "user_id": ["u"] * len(rows)}),
    )


def test_pieces_come_in_order_whatever_the_order_they_were_given_in(tmp_path: Path) -> None:
    with WaitingPieces(tmp_path, np.array([0, 100])) as waiting:
        waiting.append(pieces((150, "d", [1]), (20, "b", [2, 3]), (-5, "before all", [9])))
        waiting.append(pieces((100, "c", [4, 5, 6]), (20, "a", [7]), (999, "e", [8])))
    found = list(waiting.in_order())
    assert [some.keys["session_id"].to_list() for some in found] == [
        ["before all"],
        ["a", "b"],
        ["c", "d", "e"],
    ]
    assert [some.item_index.tolist() for some in found] == [[9], [7, 2, 3], [4, 5, 6, 1, 8]]
    assert found[2].end_us.tolist() == [105, 155, 1_004]


def test_event_inputs_stay_with_their_events(tmp_path: Path) -> None:
    given = [
        pieces((150, "d", [1]), (20, "b", [2, 3])),
        pieces((100, "c", [4, 5, 6]), (20, "a", [7])),
    ]
    with WaitingPieces(tmp_path, np.array([0, 100]), event_inputs=True) as waiting:
        for some in given:
            inputs = {"event_type": some.item_index * 100, "gap_s": some.item_index + 1}
            waiting.append(replace(some, events=inputs))
    found = list(waiting.in_order())
    assert [some.item_index.tolist() for some in found] == [[7, 2, 3], [4, 5, 6, 1]]
    for some in found:
        assert some.events["event_type"].tolist() == (some.item_index * 100).tolist()
        assert some.events["gap_s"].tolist() == (some.item_index + 1).tolist()


def test_without_pieces_nothing_comes(tmp_path: Path) -> None:
    with WaitingPieces(tmp_path, np.array([0])) as waiting:
        pass
    assert list(waiting.in_order()) == []
