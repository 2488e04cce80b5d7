"""Items and what is known of them in; descriptions of more of them out, within a budget."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from crossrec_pipeline.content.enrichment.asked import Asked, Question
from crossrec_pipeline.content.enrichment.budget import Budget
from crossrec_pipeline.content.enrichment.pace import Clock
from crossrec_pipeline.content.enrichment.reply import Enrichment
from crossrec_pipeline.content.enrichment.results import (
    Coverage,
    PartialResults,
    Results,
    coverage,
    read_results,
    write_results,
)
from crossrec_pipeline.settings import EnrichmentSettings

_INSTALL = (
    "Descriptions of items need the extra [llm]: pip install 'crossrec-pipeline[llm]' "
    "(not installed: {name})."
)


@dataclass(frozen=True)
class EnrichmentRun:
    """What a run has made, and what it did cost.

    Attributes
    ----------
    results
        Everything that is known now.
    coverage
        How far the catalogue has descriptions now.
    n_asked
        Items that were asked for.
    n_described, refused, failed
        What came of them: descriptions; refusals and failures, by reason. Failed ones are asked for
        again by the next run, refused ones only when their words, the model or the prompt change.
    n_cached
        Items that needed no asking.
    n_requests, n_tokens, cost
        Requests made, tokens read and written, and their price by the settings.
    budget_spent
        Of what no more was allowed, if that ended the run; the next run goes on.
    problem
        Why the endpoint cannot be used, if that ended the run.
    """

    results: Results
    coverage: Coverage
    n_asked: int
    n_described: int
    refused: dict[str, int]
    failed: dict[str, int]
    n_cached: int
    n_requests: int
    n_tokens: int
    cost: float
    budget_spent: str | None
    problem: str | None

    @property
    def n_left(self) -> int:
        """Items that are still to be asked for."""
        return self.coverage.to_ask.height


def enrich(
    items: pl.DataFrame,
    settings: EnrichmentSettings,
    content_dir: Path,
    say: Callable[[str], None],
    clock: Clock | None = None,
) -> EnrichmentRun:
    """Have items described that have no description yet, or an outdated one.

    What is known stays, also of items that have left the catalogue: it was paid for. An outdated
    description stays until there is another one. An interruption keeps all answers: the next run
    begins with them.

    Parameters
    ----------
    items
        `catalogue.items`, or at least the columns of `prompt.WORDS`, `item_id` and `popularity`.
    settings
        Whom to ask (`base_url` and `model` are set), and what it may cost.
    content_dir
        The folder of the two tables, which are read and replaced.
    say
        Called with lines of progress.
    clock
        What pauses are made with; the machine's own by default.

    Raises
    ------
    EnrichmentError
        If a table that is there is damaged. That the endpoint cannot be used is no error, but said
        in what is returned.
    ValueError
        If `base_url` or `model` is not set.
    """
    if settings.base_url is None or settings.model is None:
        raise ValueError("nobody is asked: base_url or model is not set")
    clock = clock or Clock()
    partial = PartialResults(content_dir)
    results = read_results(content_dir).with_answers(partial.read())
    before = coverage(items, results, settings.model)
    say(
        f"{before.to_ask.height:,} of {before.n_items:,} items are to be described by "
        f"{settings.model}; at most {settings.max_items:,} are asked for now"
    )
    asked = _ask(before, settings, partial, say, clock)
    results = results.with_answers(asked.answers)
    write_results(results, content_dir)
    partial.remove()
    refusals = [answer.found for answer in asked.answers if isinstance(answer.found, str)]
    return EnrichmentRun(
        results=results,
        coverage=coverage(items, results, settings.model),
        n_asked=len(asked.answers) + len(asked.failed),
        n_described=sum(isinstance(answer.found, Enrichment) for answer in asked.answers),
        refused=dict(Counter(refusals).most_common()),
        failed=dict(Counter(asked.failed.values()).most_common()),
        n_cached=before.n_described + before.n_refused,
        n_requests=asked.budget.requests,
        n_tokens=asked.budget.tokens,
        cost=asked.budget.cost,
        budget_spent=asked.budget_spent,
        problem=asked.problem,
    )


def _ask(
    wanted: Coverage,
    settings: EnrichmentSettings,
    partial: PartialResults,
    say: Callable[[str], None],
    clock: Clock,
) -> Asked:
    questions = [Question(**row) for row in wanted.to_ask.iter_rows(named=True)]
    if not questions:
        return Asked(Budget(settings, clock))
    try:
        from crossrec_pipeline.content.enrichment.asking import ask_all
    except ModuleNotFoundError as error:
        return Asked(Budget(settings, clock), problem=_INSTALL.format(name=error.name))
    return ask_all(questions, settings, partial.append, say, clock)
