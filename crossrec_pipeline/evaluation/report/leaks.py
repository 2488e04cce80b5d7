"""Verdicts of the leak audit go in, a table of them comes out."""

from collections.abc import Sequence

from crossrec_pipeline.evaluation.report.blocks import Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.context import LeakVerdict


def leak_section(verdicts: Sequence[LeakVerdict]) -> Section | None:
    """Show what was looked for and found; None where nothing was."""
    if not verdicts:
        return None
    failed = [verdict.name for verdict in verdicts if not verdict.passed]
    words = (
        f"{len(failed)} of {len(verdicts)} searches found a leak: {', '.join(failed)}. Do not "
        "trust the figures above before that is mended."
        if failed
        else f"None of {len(verdicts)} searches found anything of test in what models learn from."
    )
    rows = [[name, "passed" if passed else "FAILED", said] for name, passed, said in verdicts]
    marked = frozenset((at, 1) for at, verdict in enumerate(verdicts) if not verdict.passed)
    return Section(
        "leaks",
        "Leak audit",
        [
            Paragraph(words),
            Table("Searches for leaks", ["Search", "Result", "What was found"], rows, 3, marked),
        ],
    )
