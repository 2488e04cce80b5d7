import json
from pathlib import Path

import pytest

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.promotions import (
    By,
    Champion,
    earlier_champions,
    promotions_held,
    read_champion,
    read_promotions,
    record_promotion,
    taken_down,
)


def record(models_dir: Path, version: str, by: By = "gate", content: str | None = None) -> Champion:
    with promotions_held(models_dir):
        return record_promotion(
            models_dir, "markov", version, content or f"of {version}", reason="why", by=by
        )


def versions(promotions: list[Champion]) -> str:
    return "".join(promotion.version for promotion in promotions)


def test_there_is_no_history_before_the_first_promotion(tmp_path: Path) -> None:
    assert read_promotions(tmp_path) == []
    assert earlier_champions([]) == []
    assert taken_down([]) == {}


def test_history_is_one_line_a_promotion_with_its_predecessor(tmp_path: Path) -> None:
    first, second = record(tmp_path, "a"), record(tmp_path, "b", by="manual")
    lines = (tmp_path / "promotions.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [vars(first), vars(second)]
    assert (second.previous, second.previous_data_version) == ("markov/a", "of a")
    assert read_promotions(tmp_path) == [first, second]
    assert read_champion(tmp_path) == second


def test_line_that_a_killed_process_did_not_write_is_added_by_the_next(tmp_path: Path) -> None:
    record(tmp_path, "a")
    lost = record(tmp_path, "b")
    history = tmp_path / "promotions.jsonl"
    whole = history.read_bytes()
    history.write_bytes(whole[:-30])  # within the line of b
    assert read_promotions(tmp_path)[-1] == lost
    record(tmp_path, "c")
    assert history.read_bytes().startswith(whole)
    assert versions(read_promotions(tmp_path)) == "abc"


def test_champion_of_before_there_was_a_history_is_its_first_line(tmp_path: Path) -> None:
    old = {"kind": "markov", "version": "a", "data_version": "of a"}
    old |= {"promoted_at": "2023-06-01T12:00:00+00:00", "reason": "newest"}
    (tmp_path / "champion.json").write_text(json.dumps(old))
    record(tmp_path, "b")
    assert versions(read_promotions(tmp_path)) == "ab"


def test_where_the_pointer_cannot_be_read_the_history_alone_tells(tmp_path: Path) -> None:
    promotions = [record(tmp_path, "a"), record(tmp_path, "b")]
    (tmp_path / "champion.json").write_text("{")
    assert read_promotions(tmp_path) == promotions
    assert record(tmp_path, "c").previous is None
    assert versions(read_promotions(tmp_path)) == "abc"


def test_unreadable_line_is_named(tmp_path: Path) -> None:
    record(tmp_path, "a")
    history = tmp_path / "promotions.jsonl"
    history.write_text(history.read_text() + "[]\n")
    with pytest.raises(BundleError, match=r"promotions\.jsonl, line 2 is not a promotion"):
        read_promotions(tmp_path)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("a", ""),
        ("a b c", "ba"),
        ("a b <a", ""),
        ("a b c <b", "a"),
        ("a b <a c", "a"),
        ("a b a", "b"),
        ("a a", ""),
    ],
)
def test_what_a_rollback_may_go_back_to(tmp_path: Path, steps: str, expected: str) -> None:
    for step in steps.split():
        record(tmp_path, step[-1], by="rollback" if step[0] == "<" else "gate")
    assert versions(earlier_champions(read_promotions(tmp_path))) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("a b c", set()),
        ("a b <a", {"of b"}),
        ("a b <a c", {"of b"}),
        ("a b <a !b", {"of a"}),
        ("a b !a", {"of b"}),
        ("a !a", set()),
    ],
)
def test_what_a_person_took_down_stays_so_until_it_is_promoted(
    tmp_path: Path, steps: str, expected: set[str]
) -> None:
    by: dict[str, By] = {"<": "rollback", "!": "manual"}
    for step in steps.split():
        record(tmp_path, step[-1], by=by.get(step[0], "gate"))
    assert set(taken_down(read_promotions(tmp_path))) == expected
