"""Frames and suites in; per suite, which expectations hold and the values that break them, out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from crossrec_pipeline.errors import QualityError
from crossrec_pipeline.quality.expectation import Expectation, Severity, Suite

MAX_EXAMPLES = 5
"""Failing rows kept per expectation."""

MAX_SHOWN = 80
"""Characters shown of one failing value."""

_ROW = "__row__"


@dataclass(frozen=True)
class ExpectationResult:
    """Whether one expectation held.

    Attributes
    ----------
    type, severity, why
        As in the `Expectation`.
    column
        The columns it looked at, joined by commas; None for the table as a whole.
    limits
        Its other arguments, as text.
    success
        Whether it held.
    unexpected_count, unexpected_percent
        Failing rows, and their percentage (0 to 100) of the rows looked at. None where the
        expectation is about the table as a whole or could not be evaluated.
    examples
        The first failing rows: the suite's key columns and the values, by column name.
    exception
        Why it could not be evaluated (a column is missing, for example); None otherwise.
    """

    type: str
    column: str | None
    limits: str
    success: bool
    severity: Severity
    why: str
    unexpected_count: int | None = None
    unexpected_percent: float | None = None
    examples: tuple[Mapping[str, Any], ...] = ()
    exception: str | None = None


@dataclass(frozen=True)
class SuiteResult:
    """Whether a suite held: `success` is False if an expectation of severity ``error`` did not."""

    name: str
    description: str
    success: bool
    rows: tuple[ExpectationResult, ...]

    @property
    def failures(self) -> tuple[ExpectationResult, ...]:
        """The expectations that did not hold, warnings included."""
        return tuple(row for row in self.rows if not row.success)

    def markdown(self) -> str:
        """Render a table: failures first, each with the values that broke it."""
        lines = [
            self.description,
            "",
            "| | Expectation | Column | Failing rows | Failing values | Why |",
            "|---|---|---|---|---|---|",
        ]
        ordered = sorted(self.rows, key=lambda row: (row.success, row.severity != "error"))
        lines += [_markdown_row(row) for row in ordered]
        return "\n".join(lines)


def validate(frame: pl.DataFrame, suite: Suite) -> SuiteResult:
    """Validate one frame; see `validate_suites`."""
    return validate_suites([(frame, suite)])[0]


def validate_suites(audits: Iterable[tuple[pl.DataFrame, Suite]]) -> list[SuiteResult]:
    """Validate frames against their suites with one in-memory Great Expectations context.

    Parameters
    ----------
    audits
        Pairs of a frame and the suite about it. Columns an expectation looks at must be scalar.

    Returns
    -------
    list of SuiteResult
        In the order given. A missing column is a failed expectation, not an error.

    Raises
    ------
    QualityError
        If a suite names an expectation that Great Expectations does not have.
    """
    import great_expectations as gx  # 3 to 4 seconds: paid only by a process that validates

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    source = context.data_sources.add_pandas("staged")
    results = []
    for position, (frame, suite) in enumerate(audits):
        asset = source.add_dataframe_asset(f"{position}_{suite.name}")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
            {"dataframe": _to_pandas(frame, suite)}
        )
        outcome = batch.validate(
            gx.ExpectationSuite(
                name=f"{position}_{suite.name}",
                expectations=[
                    _great_expectation(suite, index) for index in range(len(suite.expectations))
                ],
            ),
            result_format={
                "result_format": "SUMMARY",
                "unexpected_index_column_names": [_ROW],
                "partial_unexpected_count": MAX_EXAMPLES,
            },
        )
        # Great Expectations groups its results by column; `meta` gives the suite's order back.
        by_index = {
            result.expectation_config.meta["index"]: result
            for result in outcome.results
            if result.expectation_config is not None
        }
        rows = tuple(
            _expectation_result(expectation, suite, frame, by_index[index])
            for index, expectation in enumerate(suite.expectations)
        )
        success = all(row.success for row in rows if row.severity == "error")
        results.append(SuiteResult(suite.name, suite.description, success, rows))
    return results


def _to_pandas(frame: pl.DataFrame, suite: Suite) -> Any:
    """Convert only the columns looked at (lists cannot be compared there), and row numbers."""
    wanted = {name for expectation in suite.expectations for name in expectation.columns}
    present = [name for name in frame.columns if name in wanted]
    # Arrow-backed columns convert without copying and keep integers with nulls integers.
    return frame.select(present).with_row_index(_ROW).to_pandas(use_pyarrow_extension_array=True)


def _great_expectation(suite: Suite, index: int) -> Any:
    import great_expectations.expectations as gxe

    expectation = suite.expectations[index]
    name = "".join(word.capitalize() for word in expectation.type.split("_"))
    expectation_class = getattr(gxe, name, None)
    if expectation_class is None:
        raise QualityError(
            f"Suite {suite.name}: Great Expectations has no {expectation.type!r} ({name})."
        )
    return expectation_class(**expectation.kwargs, meta={"index": index})


def _expectation_result(
    expectation: Expectation, suite: Suite, frame: pl.DataFrame, result: Any
) -> ExpectationResult:
    details = result.result or {}
    rows = [entry[_ROW] for entry in details.get("partial_unexpected_index_list") or []]
    shown = [
        name
        for name in dict.fromkeys((*suite.key, *expectation.columns, *expectation.show))
        if name in frame.columns
    ]
    examples = frame.select(shown)[rows].to_dicts() if rows else []
    if not result.success and "observed_value" in details:
        examples = [{"observed": details["observed_value"]}]
    return ExpectationResult(
        type=expectation.type,
        column=", ".join(expectation.columns) or None,
        limits=expectation.limits,
        success=bool(result.success),
        severity=expectation.severity,
        why=expectation.why,
        unexpected_count=details.get("unexpected_count"),
        unexpected_percent=details.get("unexpected_percent"),
        examples=tuple(examples),
        exception=_exception(result.exception_info),
    )


def _exception(info: Mapping[str, Any] | None) -> str | None:
    """Find the message: the information is one record, or one record a metric."""
    if not info:
        return None
    if "raised_exception" in info:
        return str(info["exception_message"]) if info["raised_exception"] else None
    messages = [record["exception_message"] for record in info.values() if record]
    return str(messages[0]) if messages else None


def _markdown_row(row: ExpectationResult) -> str:
    mark = "✅" if row.success else "❌" if row.severity == "error" else "⚠️"
    name = row.type.removeprefix("expect_").replace("_", " ")
    expectation = f"{name} ({row.limits})" if row.limits else name
    failing = "" if row.unexpected_count is None else str(row.unexpected_count)
    if row.unexpected_count:
        failing = f"{row.unexpected_count} ({row.unexpected_percent:.3g} %)"
    examples = [_example(example) for example in row.examples]
    if row.exception:
        examples.append(_escape(row.exception))
    cells = (
        mark,
        _escape(expectation),
        _escape(row.column or "(table)"),
        failing,
        "<br>".join(examples),
        _escape(row.why),
    )
    return f"| {' | '.join(cells)} |"


def _example(example: Mapping[str, Any]) -> str:
    return ", ".join(f"{_escape(name)} = {_shown(value)}" for name, value in example.items())


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    # Quotes make outer blanks and empty text visible.
    text = f"'{value}'" if isinstance(value, str) else str(value)
    if len(text) > MAX_SHOWN:
        text = text[: MAX_SHOWN - 1] + "…"
    return _escape(text)


def _escape(text: str) -> str:
    """Make text safe in a cell of a Markdown table: no markup, no HTML, no line ends."""
    one_line = "".join(char if char.isprintable() else " " for char in text)
    return re.sub(r"([\\`*_{}\[\]<>|~#&$])", r"\\\1", one_line)
