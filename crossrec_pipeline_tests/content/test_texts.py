from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.content.texts import TEXTS, item_texts, read_enrichments
from crossrec_pipeline.errors import ContentError
from crossrec_pipeline_tests.content.item_rows import items_of


def text_of(change: dict, more: pl.DataFrame | None = None) -> str:
    return item_texts(items_of(change), more)["text"].item()


def more_of(*rows: tuple[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"item_id": pl.String, "text": pl.String}, orient="row")


@pytest.mark.parametrize(
    ("item_type", "text"),
    [
        ("Movie", "Up. Animation, Comedy. A house flies. With Ed Asner."),
        ("Music", "Up. By Ed Asner. Animation, Comedy. A house flies."),
        ("Book", "Up. By Ed Asner. Animation, Comedy. A house flies."),
        ("Podcast", "Up. Animation, Comedy. A house flies. By Ed Asner."),
    ],
)
def test_each_type_has_a_template_and_added_ones_the_general_one(item_type: str, text: str):
    assert text_of({"item_type": item_type}) == text


def test_there_is_one_text_an_item_in_the_order_of_the_items():
    texts = item_texts(items_of({"item_id": "Movie_B"}, {"item_id": "Movie_A", "title": "A"}))
    assert texts.schema == pl.Schema(TEXTS)
    assert texts["item_id"].to_list() == ["Movie_B", "Movie_A"]
    assert item_texts(items_of()).schema == pl.Schema(TEXTS)


@pytest.mark.parametrize("said_so", [True, False])
@pytest.mark.parametrize(
    ("column", "mark", "left"),
    [
        ("description", "No Description Available", "Up. Animation, Comedy. With Ed Asner."),
        ("genres", ["Unknown"], "Up. A house flies. With Ed Asner."),
        ("creators", ["Not Available"], "Up. Animation, Comedy. A house flies."),
    ],
)
def test_placeholders_are_left_out_marked_as_filled_in_or_not(
    column: str, mark: object, left: str, said_so: bool
):
    assert text_of({column: mark, "imputed": [column] if said_so else []}) == left


def test_what_a_domain_filled_in_itself_is_left_out():
    assert text_of({"genres": ["Other"], "imputed": ["genres"]}).startswith("Up. A house")


def test_blank_values_are_left_out():
    blank = {"title": " ", "genres": ["", "Drama "], "creators": [], "description": None}
    assert text_of(blank) == "Drama."
    assert text_of({**blank, "genres": []}) == ""


@pytest.mark.parametrize("end", [".", "!", "?", "…", '."', "?)"])
def test_a_sentence_that_is_closed_is_not_closed_again(end: str):
    assert f"It flies{end} With" in text_of({"description": f"It flies{end}"})


def test_of_a_long_cast_the_first_names_are_taken():
    cast = [f"Name {number}" for number in range(9)]
    assert text_of({"creators": cast}).endswith("With Name 0, Name 1, Name 2, Name 3, Name 4.")


def test_further_texts_come_before_the_description():
    more = more_of(("Movie_Up", " Grief and balloons "), ("Movie_Up", "Warm."), ("Movie_X", "No"))
    text = text_of({}, more)
    assert text == "Up. Animation, Comedy. Grief and balloons Warm. A house flies. With Ed Asner."


def test_blank_further_texts_change_nothing():
    assert text_of({}, more_of(("Movie_Up", " "), ("Movie_Up", None))) == text_of({})


def test_enrichments_are_read_where_they_are(tmp_path: Path):
    assert read_enrichments(tmp_path) is None
    rows = {"item_id": ["Movie_Up"], "digest": ["0"], "mood": ["warm"], "text": ["Balloons"]}
    pl.DataFrame(rows).write_parquet(tmp_path / "enrichments.parquet")
    found = read_enrichments(tmp_path)
    assert found is not None
    assert found.rows() == [("Movie_Up", "Balloons")]


@pytest.mark.parametrize("damage", ["torn", "no text"])
def test_enrichments_that_cannot_be_read_are_refused(tmp_path: Path, damage: str):
    path = tmp_path / "enrichments.parquet"
    pl.DataFrame({"item_id": ["Movie_Up"]}).write_parquet(path)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ContentError, match=r"enrichments\.parquet cannot be read .*delete it"):
        read_enrichments(tmp_path)
