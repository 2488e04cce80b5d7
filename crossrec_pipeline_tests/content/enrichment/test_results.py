from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.content.enrichment.prompt import with_questions
from crossrec_pipeline.content.enrichment.reply import Enrichment
from crossrec_pipeline.content.enrichment.results import (
    ENRICHMENTS,
    REFUSED,
    Answer,
    PartialResults,
    Results,
    coverage,
    read_results,
    results_are_whole,
    write_results,
)
from crossrec_pipeline.errors import EnrichmentError
from crossrec_pipeline_tests.content.enrichment.fake_endpoint import GOOD
from crossrec_pipeline_tests.content.enrichment.small_catalogue import (
    MODEL,
    books,
    catalogue,
    item,
)

NOTHING = Results(pl.DataFrame(schema=ENRICHMENTS), pl.DataFrame(schema=REFUSED))


def answers(items: pl.DataFrame, refused: str = "", model: str = MODEL) -> list[Answer]:
    """Answer for all items; those whose title is in `refused` are."""
    return [
        Answer(
            row["item_id"],
            row["digest"],
            model,
            "it is empty" if row["title"] in refused.split() else Enrichment(**GOOD),
        )
        for row in with_questions(items, model).iter_rows(named=True)
    ]


def test_an_item_is_in_one_table_at_most_by_its_last_answer():
    items = books(3)
    results = NOTHING.with_answers(answers(items))
    assert results.enrichments["item_id"].to_list() == ["Book_A", "Book_B", "Book_C"]
    results = results.with_answers(answers(items.head(2), refused="B"))
    assert results.enrichments["item_id"].to_list() == ["Book_A", "Book_C"]
    assert results.refused.rows(named=True)[0]["reason"] == "it is empty"
    results = results.with_answers(answers(items.head(2)))
    assert results.refused.is_empty()
    assert dict(results.enrichments.schema) == ENRICHMENTS
    assert dict(results.refused.schema) == REFUSED


def test_no_answers_change_nothing():
    results = NOTHING.with_answers(answers(books(2), refused="B"))
    same = results.with_answers([])
    assert same.enrichments.equals(results.enrichments)
    assert same.refused.equals(results.refused)


def test_the_most_popular_are_asked_for_first_and_outdated_ones_last():
    described = catalogue(item("A", 0.9), item("B", 0.8))
    results = NOTHING.with_answers(answers(described))
    now = catalogue(
        item("A", 0.9, description="Another."),
        item("B", 0.8),
        item("C", 0.1),
        item("D", 0.3),
        item("E", 0.3),
    )
    found = coverage(now, results, MODEL)
    assert found.to_ask["item_id"].to_list() == ["Book_D", "Book_E", "Book_C", "Book_A"]
    assert (found.n_items, found.n_described, found.n_stale, found.n_refused) == (5, 1, 1, 0)
    assert found.share == 0.2


def test_refused_items_are_not_asked_for_again_until_they_change():
    results = NOTHING.with_answers(answers(books(2), refused="A"))
    found = coverage(books(2), results, MODEL)
    assert (found.n_described, found.n_refused, found.to_ask.height) == (1, 1, 0)
    changed = catalogue(item("A", description="Another."), item("B"))
    found = coverage(changed, results, MODEL)
    assert found.to_ask["item_id"].to_list() == ["Book_A"]
    assert found.n_refused == 0


def test_another_model_makes_every_description_outdated():
    results = NOTHING.with_answers(answers(books(2)))
    found = coverage(books(2), results, "other")
    assert (found.n_described, found.n_stale, found.to_ask.height) == (0, 2, 2)


def test_items_that_left_the_catalogue_count_no_more():
    results = NOTHING.with_answers(answers(books(3)))
    found = coverage(books(1), results, MODEL)
    assert (found.n_items, found.n_described, found.n_stale) == (1, 1, 0)
    assert coverage(books(0), results, MODEL).share == 1


def test_tables_are_read_as_they_were_written(tmp_path: Path):
    results = NOTHING.with_answers(answers(books(3), refused="B"))
    assert read_results(tmp_path).enrichments.is_empty()
    assert not results_are_whole(tmp_path)
    write_results(results, tmp_path)
    found = read_results(tmp_path)
    assert found.enrichments.equals(results.enrichments)
    assert found.refused.equals(results.refused)
    assert results_are_whole(tmp_path)


@pytest.mark.parametrize("name", ["enrichments.parquet", "enrichments_refused.parquet"])
def test_a_damaged_table_is_named_and_not_taken_for_an_empty_one(tmp_path: Path, name: str):
    write_results(NOTHING, tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(EnrichmentError, match=rf"{name} cannot be read: .*paid for, again"):
        read_results(tmp_path)
    assert not results_are_whole(tmp_path)
    pl.DataFrame({"item_id": ["x"]}).write_parquet(path)
    with pytest.raises(EnrichmentError, match=rf"{name} has other columns"):
        read_results(tmp_path)


def test_answers_of_a_run_that_was_killed_are_read_but_for_a_torn_line(tmp_path: Path):
    partial = PartialResults(tmp_path)
    assert partial.read() == []
    given = answers(books(3), refused="B")
    for answer in given:
        partial.append(answer)
    path = tmp_path / "enrichments.partial.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    assert partial.read() == given[:2]
    partial.append(given[2])  # not glued to what was torn
    assert partial.read() == given
    with path.open("a") as file:
        file.write('[1]\n"x"\n{"item_id": "a"}\n{"found": {"mood": 1}}\n')
    assert partial.read() == given
    partial.remove()
    partial.remove()
    assert partial.read() == []
