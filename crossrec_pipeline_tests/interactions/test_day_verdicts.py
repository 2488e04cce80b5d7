from datetime import date
from pathlib import Path

import pytest

from crossrec_pipeline.errors import QualityError
from crossrec_pipeline.interactions.day_verdicts import (
    DayVerdict,
    read_verdicts,
    require_verdicts,
    withdraw_verdict,
    write_verdict,
)

FIRST, SECOND = date(2024, 2, 29), date(2024, 3, 1)
PASSED = DayVerdict("v", "f", 10, {"duplicate": 2}, passed=True)
WAITING = DayVerdict("v", "f", 10, {})
REFUSED = DayVerdict("v", "f", 1, {"unknown_item": 200}, passed=False)


def test_without_a_directory_nothing_is_known(tmp_path: Path):
    assert read_verdicts(tmp_path / "none") == {}


def test_verdicts_come_back_in_the_order_of_the_days(tmp_path: Path):
    write_verdict(tmp_path, SECOND, WAITING)
    write_verdict(tmp_path, FIRST, PASSED)
    assert list(read_verdicts(tmp_path).items()) == [(FIRST, PASSED), (SECOND, WAITING)]


def test_a_withdrawn_verdict_is_forgotten(tmp_path: Path):
    write_verdict(tmp_path, FIRST, PASSED)
    withdraw_verdict(tmp_path, FIRST)
    withdraw_verdict(tmp_path, FIRST)
    assert read_verdicts(tmp_path) == {}


def test_days_that_have_passed_are_let_through(tmp_path: Path):
    write_verdict(tmp_path, FIRST, PASSED)
    write_verdict(tmp_path, SECOND, REFUSED)
    require_verdicts(tmp_path, [FIRST])
    require_verdicts(tmp_path, [])


@pytest.mark.parametrize("verdict", [WAITING, REFUSED, None])
def test_a_day_that_has_not_passed_is_named(tmp_path: Path, verdict: DayVerdict | None):
    write_verdict(tmp_path, FIRST, PASSED)
    if verdict is not None:
        write_verdict(tmp_path, SECOND, verdict)
    with pytest.raises(QualityError, match=r"^1 days .* \(2024-03-01\).*materialise these days"):
        require_verdicts(tmp_path, [FIRST, SECOND])


def test_of_many_refused_days_the_first_are_named(tmp_path: Path):
    days = [date(2024, 3, n) for n in range(1, 9)]
    with pytest.raises(QualityError, match=r"^8 days .*2024-03-05, …\)"):
        require_verdicts(tmp_path, days)
