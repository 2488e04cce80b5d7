import dagster as dg
import pytest

from crossrec_pipeline.defs import failures
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.errors import SourceError, SourceUnavailableError


def attempts(error: Exception, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Run an asset that raises; say how often it was tried and what the last failure said."""
    monkeypatch.setattr(failures, "_WAIT_SECONDS", 0)
    tried = []

    @dg.asset
    @reports_errors
    def source() -> None:
        tried.append(1)
        raise error

    result = dg.materialize([source], raise_on_error=False)
    failure = result.failure_data_for_node("source")
    assert failure is not None
    text = failure.error.to_string() if failure.error else ""
    return len(tried), text


def test_what_a_person_must_mend_is_not_tried_again(monkeypatch: pytest.MonkeyPatch):
    n, text = attempts(SourceError("movies.csv has no column 'names'"), monkeypatch)
    assert n == 1
    assert "movies.csv has no column 'names'" in text


def test_what_cannot_be_reached_is_tried_twice_more(monkeypatch: pytest.MonkeyPatch):
    n, text = attempts(SourceUnavailableError("the hub cannot be reached"), monkeypatch)
    assert n == 3
    assert "the hub cannot be reached" in text
