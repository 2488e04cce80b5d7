import hashlib
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.digests import (
    file_sha256,
    files_digest,
    frame_digest,
    frames_digest,
    json_digest,
    text_digest,
)

FRAME = pl.DataFrame(
    {
        "id": ["a", "b", "c", None],
        "n": [1, 2, 2, None],
        "x": [0.5, None, 2.0, 1.0],
        "day": [date(2023, 1, 1), None, date(2023, 1, 2), date(2023, 1, 2)],
        "tags": [["p", "q"], [], None, ["p"]],
    }
)


def test_texts_are_not_just_joined() -> None:
    assert text_digest("ab", "c") != text_digest("a", "bc")
    assert text_digest("ab") != text_digest("ab", "")
    assert text_digest("ab", "c") == text_digest("ab", "c")
    assert len(text_digest("ab")) == 16


def test_order_of_keys_does_not_change_a_json_digest() -> None:
    assert json_digest({"a": 1, "b": [1, 2]}) == json_digest({"b": [1, 2], "a": 1})
    assert json_digest({"b": [1, 2]}) != json_digest({"b": [2, 1]})


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"content").hexdigest()


def test_files_digest_depends_on_names_and_bytes_only(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a").write_text("1")
        (tmp_path / folder / "b").write_text("2")
    one = [tmp_path / "one" / "a", tmp_path / "one" / "b"]
    other = [tmp_path / "other" / "b", tmp_path / "other" / "a"]
    assert files_digest(one) == files_digest(other)
    (tmp_path / "other" / "b").write_text("3")
    assert files_digest(one) != files_digest(other)
    (tmp_path / "other" / "b").write_text("1")
    (tmp_path / "other" / "a").write_text("2")
    assert files_digest(one) != files_digest(other)


def test_order_of_rows_and_columns_does_not_change_a_frame_digest() -> None:
    shuffled = FRAME.sample(fraction=1, shuffle=True, seed=1).select(reversed(FRAME.columns))
    assert not shuffled.equals(FRAME)
    assert frame_digest(shuffled) == frame_digest(FRAME)


@pytest.mark.parametrize(
    "changed",
    [
        FRAME.with_columns(n=pl.Series([1, 2, 2, 0])),
        FRAME.with_columns(n=pl.col("n").cast(pl.Int32)),
        FRAME.with_columns(tags=pl.col("tags").list.reverse()),
        FRAME.rename({"x": "y"}),
        FRAME.head(3),
        pl.concat([FRAME, FRAME]),
        pl.concat([FRAME, FRAME.head(1), FRAME.head(1)]),
        FRAME.clear(),
    ],
    ids=["value", "type", "list order", "name", "row less", "twice", "one row thrice", "empty"],
)
def test_change_of_content_changes_a_frame_digest(changed: pl.DataFrame) -> None:
    assert frame_digest(changed) != frame_digest(FRAME)


def test_values_swapped_between_rows_change_a_frame_digest() -> None:
    one = pl.DataFrame({"id": ["a", "b"], "n": [1, 2]})
    other = pl.DataFrame({"id": ["a", "b"], "n": [2, 1]})
    assert frame_digest(one) != frame_digest(other)


def test_empty_frames_of_other_columns_differ() -> None:
    assert frame_digest(FRAME.clear()) != frame_digest(FRAME.clear().drop("x"))


def test_chunks_and_slices_do_not_change_a_frame_digest() -> None:
    chunked = pl.concat([FRAME.head(2), FRAME.tail(2)], rechunk=False)
    assert frame_digest(chunked) == frame_digest(FRAME)


def test_digest_of_frames_is_that_of_all_their_rows() -> None:
    parts = [FRAME[:1], FRAME[1:1], FRAME[1:]]
    assert frames_digest(parts) == frame_digest(FRAME)
    assert frames_digest([FRAME[:0]]) == frame_digest(FRAME[:0])


def test_digest_of_no_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="no frames"):
        frames_digest([])
