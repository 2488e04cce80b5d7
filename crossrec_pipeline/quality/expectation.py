"""An expectation and a suite of them, as plain data: what is expected, how seriously, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Expectation:
    """One statement about a frame.

    Attributes
    ----------
    type
        A Great Expectations class in snake case, such as ``expect_column_values_to_be_unique``.
    kwargs
        Its arguments, such as ``{"column": "item_id"}``.
    severity
        ``error`` fails the suite; ``warning`` is shown only.
    why
        What goes wrong later where it does not hold.
    show
        Further columns of the frame shown beside a failing value.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    why: str
    show: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at; empty if it looks at the table as a whole."""
        names = [
            self.kwargs[key] for key in ("column", "column_A", "column_B") if key in self.kwargs
        ]
        return (*names, *self.kwargs.get("column_list", ()))

    @property
    def limits(self) -> str:
        """The arguments that are not columns, as text: ``min_value=0, max_value=1``."""
        hidden = ("column", "column_A", "column_B", "column_list", "ignore_row_if")
        shown = {key: value for key, value in self.kwargs.items() if key not in hidden}
        return ", ".join(f"{key}={value}" for key, value in shown.items())


@dataclass(frozen=True)
class Suite:
    """Expectations about one frame, checked and shown together.

    Attributes
    ----------
    name
        The name of the check, of letters, digits and underscores.
    description
        What a person reads beside the name.
    expectations
        Looked at independently of one another.
    key
        Columns that say which row a failing value stands in.
    """

    name: str
    description: str
    expectations: tuple[Expectation, ...]
    key: tuple[str, ...] = ()


def not_null(column: str, why: str, show: tuple[str, ...] = ()) -> Expectation:
    """Expect no null in `column`."""
    return Expectation(
        "expect_column_values_to_not_be_null", {"column": column}, "error", why, show
    )


def unique(column: str, why: str) -> Expectation:
    """Expect no value of `column` to appear twice."""
    return Expectation("expect_column_values_to_be_unique", {"column": column}, "error", why)


def unique_together(columns: Sequence[str], why: str) -> Expectation:
    """Expect no combination of values of `columns` to appear twice."""
    kwargs = {"column_list": list(columns)}
    return Expectation("expect_compound_columns_to_be_unique", kwargs, "error", why)


def in_set(column: str, values: Sequence[Any], why: str) -> Expectation:
    """Expect every value of `column` to be one of `values`; nulls are not looked at."""
    kwargs = {"column": column, "value_set": list(values)}
    return Expectation("expect_column_values_to_be_in_set", kwargs, "error", why)


def matches(column: str, regex: str, why: str) -> Expectation:
    """Expect `regex` to be found in every value of `column`; nulls are not looked at."""
    kwargs = {"column": column, "regex": regex}
    return Expectation("expect_column_values_to_match_regex", kwargs, "error", why)


def between(
    column: str,
    why: str,
    min_value: Any = None,
    max_value: Any = None,
    show: tuple[str, ...] = (),
) -> Expectation:
    """Expect values within the closed range; nulls are not looked at, NaN fails."""
    limits = {"min_value": min_value, "max_value": max_value}
    kwargs = {
        "column": column,
        **{key: value for key, value in limits.items() if value is not None},
    }
    return Expectation("expect_column_values_to_be_between", kwargs, "error", why, show)


def equal(column_a: str, column_b: str, why: str, show: tuple[str, ...] = ()) -> Expectation:
    """Expect equal values in each row; rows with a null in either are not looked at."""
    kwargs = {
        "column_A": column_a,
        "column_B": column_b,
        # Great Expectations cannot compare pandas' NA: "boolean value of NA is ambiguous".
        "ignore_row_if": "either_value_is_missing",
    }
    return Expectation("expect_column_pair_values_to_be_equal", kwargs, "error", why, show)


def has_rows(why: str) -> Expectation:
    """Expect at least one row: an empty table meets every expectation about its values."""
    return Expectation("expect_table_row_count_to_be_between", {"min_value": 1}, "error", why)


def lacks(column: str, regex: str, why: str) -> Expectation:
    """Expect `regex` to be found in no value of `column`; nulls are not looked at."""
    kwargs = {"column": column, "regex": regex}
    return Expectation("expect_column_values_to_not_match_regex", kwargs, "error", why)
