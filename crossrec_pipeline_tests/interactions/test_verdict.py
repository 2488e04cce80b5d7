from pathlib import Path

import pytest

from crossrec_pipeline.errors import QualityError
from crossrec_pipeline.interactions.verdict import LogVerdict


@pytest.fixture
def verdict(tmp_path: Path) -> LogVerdict:
    return LogVerdict(tmp_path / "verdict.json")


def test_a_log_is_let_pass_once_its_checks_have_passed(verdict: LogVerdict):
    verdict.expect("v1")
    with pytest.raises(QualityError, match=r"version v1.* has not passed"):
        verdict.require()
    verdict.record(passed=True)
    verdict.require()


def test_a_refused_log_is_not(verdict: LogVerdict):
    verdict.expect("v1")
    verdict.record(passed=True)
    verdict.record(passed=False)
    with pytest.raises(QualityError, match="has not passed"):
        verdict.require()


def test_a_new_log_does_not_inherit_the_verdict_of_the_old_one(verdict: LogVerdict):
    verdict.expect("v1")
    verdict.record(passed=True)
    verdict.withdraw()
    with pytest.raises(QualityError, match="was not written to its end"):
        verdict.require()
    verdict.expect("v2")
    with pytest.raises(QualityError, match="version v2"):
        verdict.require()
