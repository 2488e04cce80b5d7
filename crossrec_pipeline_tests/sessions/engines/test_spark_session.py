"""What is said where Spark cannot be had; none of it needs Spark."""

import pytest

from crossrec_pipeline.errors import SessionsError, SettingsError
from crossrec_pipeline.sessions.engines import spark_session as module
from crossrec_pipeline.sessions.engines.spark import first_cause
from crossrec_pipeline.sessions.engines.spark_session import is_connect, spark_session


def test_absent_pyspark_names_the_extra(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with (
        pytest.raises(SettingsError, match=r"pip install 'crossrec-pipeline\[spark\]'"),
        spark_session("local", 0),
    ):
        pass


def test_absent_java_is_named_where_it_would_run_here(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with (
        pytest.raises(SettingsError, match="runs Java on this machine, and there is none"),
        spark_session("local", 0),
    ):
        pass


def test_server_that_does_not_answer_is_named_at_once(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    with (
        pytest.raises(SessionsError, match=r"Nobody answers at .*'sc://127\.0\.0\.1:1'"),
        spark_session("sc://127.0.0.1:1", 0),
    ):
        pass


@pytest.mark.parametrize(
    ("master", "expected"),
    [("sc://host:15002/;token=x", True), ("local[*]", False), ("spark://host:7077", False)],
)
def test_connect_is_told_by_its_scheme(master, expected):
    assert is_connect(master) is expected


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[PATH_NOT_FOUND] Path does not exist: x", "[PATH_NOT_FOUND] Path does not exist: x"),
        (
            "An error occurred while calling o8.collect.\n: org.apache.spark.SparkException: Job "
            "aborted\n\tat a.B.c(B.scala:1)\nCaused by: java.io.IOException: first\n\tat d.E.f"
            "\nCaused by: java.lang.RuntimeException: file:/a is not Parquet\n\t... 21 more",
            "file:/a is not Parquet",
        ),
        (
            "An error occurred while calling o8.x.\n: java.lang.OutOfMemoryError: Java heap space",
            "Java heap space",
        ),
        ("", "ValueError"),
    ],
)
def test_first_cause_is_the_innermost_without_its_java_class(text, cause):
    assert first_cause(ValueError(text)) == cause
