"""What the promotion gate found of a bundle: conditions with their figures, kept beside it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import BundleError

VERDICT = "verdict.json"


@dataclass(frozen=True)
class Condition:
    """One condition of the gate.

    Attributes
    ----------
    name
        What is asked.
    figure, bound
        What was measured and what is allowed; None where there is nothing to measure.
    passed
        Whether it holds.
    note
        How to read the figure, or why the condition was not judged.
    """

    name: str
    figure: float | None
    bound: float | None
    passed: bool
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger may be served, and why.

    Attributes
    ----------
    challenger, champion
        ``<kind>/<version>``; no champion where none could be loaded.
    promoted
        Whether every condition holds.
    judged_at
        ISO 8601, UTC.
    recall_at_20
        The challenger's on the test predictions.
    conditions
        All of them, in the order they were judged.
    """

    challenger: str
    champion: str | None
    promoted: bool
    judged_at: str
    recall_at_20: float
    conditions: tuple[Condition, ...]

    @property
    def failures(self) -> list[Condition]:
        """The conditions that do not hold."""
        return [condition for condition in self.conditions if not condition.passed]

    @property
    def reason(self) -> str:
        """Name what failed, or what the challenger passed."""
        if self.failures:
            return "refused by the gate: " + "; ".join(map(_in_words, self.failures))
        rival = self.champion or "no champion"
        return f"passed all conditions ({len(self.conditions)}) against {rival}"


def write_verdict(bundle_path: Path, verdict: Verdict) -> None:
    """Keep a verdict beside the bundle it is about; it is not among the hashed files."""
    with atomic_file(bundle_path / VERDICT) as partial:
        partial.write_text(json.dumps(asdict(verdict), indent=2) + "\n", encoding="utf-8")


def read_verdict(bundle_path: Path) -> Verdict | None:
    """Return a bundle's last verdict, or None where it was never judged.

    Raises
    ------
    BundleError
        If there is one that cannot be read.
    """
    path = bundle_path / VERDICT
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        conditions = tuple(Condition(**condition) for condition in content.pop("conditions"))
        return Verdict(**content, conditions=conditions)
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{path} cannot be read ({error}). Delete it: the bundle is judged again when "
            "models/champion is materialised."
        ) from error


def verdict_rows(conditions: Sequence[Condition]) -> list[tuple[str, str, str, str, str]]:
    """Return name, figure, bound, outcome and note of each condition, as text for a table."""
    return [
        (
            condition.name,
            _figure(condition.figure),
            _figure(condition.bound),
            "passed" if condition.passed else "FAILED",
            condition.note,
        )
        for condition in conditions
    ]


VERDICT_COLUMNS = ("condition", "figure", "bound", "outcome", "note")
"""Titles of `verdict_rows`."""


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def _in_words(condition: Condition) -> str:
    if condition.figure is None:
        return f"{condition.name} ({condition.note})"
    return f"{condition.name} is {_figure(condition.figure)}, bound {_figure(condition.bound)}"
