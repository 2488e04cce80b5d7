from pathlib import Path

import pytest

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.verdict import (
    Condition,
    Verdict,
    read_verdict,
    verdict_rows,
    write_verdict,
)

SMALL = Condition("size, MB", 12.34567, 500.0, True)
SLOW = Condition("latency, ms", 80.0, 50.0, False, "95th percentile")
ABSENT = Condition("not taken down", None, None, False, "rollback: complaints")


def verdict(*conditions: Condition) -> Verdict:
    promoted = all(condition.passed for condition in conditions)
    return Verdict("markov/1", "markov/0", promoted, "2023-06-01T12:00:00+00:00", 0.25, conditions)


def test_a_bundle_that_was_never_judged_has_no_verdict(tmp_path: Path) -> None:
    assert read_verdict(tmp_path) is None


def test_a_verdict_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = verdict(SMALL, SLOW, ABSENT)
    write_verdict(tmp_path, written)
    assert read_verdict(tmp_path) == written


def test_a_later_verdict_replaces_the_earlier(tmp_path: Path) -> None:
    write_verdict(tmp_path, verdict(SLOW))
    write_verdict(tmp_path, verdict(SMALL))
    assert read_verdict(tmp_path) == verdict(SMALL)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"conditions": [1]}'])
def test_an_unreadable_verdict_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "verdict.json").write_text(content)
    with pytest.raises(BundleError, match=r"verdict\.json cannot be read.*Delete it"):
        read_verdict(tmp_path)


def test_a_refusal_names_what_failed_with_figure_and_bound() -> None:
    assert verdict(SMALL, SLOW, ABSENT).reason == (
        "refused by the gate: latency, ms is 80, bound 50; not taken down (rollback: complaints)"
    )


def test_what_passed_is_counted() -> None:
    assert verdict(SMALL).reason == "passed all conditions (1) against markov/0"


def test_rows_are_text() -> None:
    assert verdict_rows([SMALL, SLOW, ABSENT]) == [
        ("size, MB", "12.35", "500", "passed", ""),
        ("latency, ms", "80", "50", "FAILED", "95th percentile"),
        ("not taken down", "–", "–", "FAILED", "rollback: complaints"),
    ]
