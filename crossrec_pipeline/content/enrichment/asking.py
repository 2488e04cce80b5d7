"""Questions in; answers out as they come, until all are answered or a run must stop.

The requests go on in a thread of their own. So the caller can be interrupted in whichever way, says
how far they are, and then ends them at once.
"""

import concurrent.futures
from collections import deque
from collections.abc import Callable, Iterable

import anyio
from anyio.from_thread import start_blocking_portal

from crossrec_pipeline.content.enrichment.asked import Asked, Question
from crossrec_pipeline.content.enrichment.budget import Budget, BudgetSpentError
from crossrec_pipeline.content.enrichment.client import Client, FailedError, RefusedError
from crossrec_pipeline.content.enrichment.pace import Clock
from crossrec_pipeline.content.enrichment.prompt import question
from crossrec_pipeline.content.enrichment.results import Answer
from crossrec_pipeline.errors import EnrichmentError
from crossrec_pipeline.settings import EnrichmentSettings

Progress = Callable[[str], None]

_SECONDS_BETWEEN_LINES = 15.0


def ask_all(
    questions: Iterable[Question],
    settings: EnrichmentSettings,
    keep: Callable[[Answer], None],
    say: Progress,
    clock: Clock,
) -> Asked:
    """Ask until every question is answered, the budget is spent, or the endpoint gives up.

    What fails for one item is no reason to stop; what fails for many in a row is. Refusals in such
    a row are taken for the endpoint's fault, and are no answers.

    Parameters
    ----------
    questions
        What to ask, the most important first.
    settings
        Whom to ask, and what it may cost.
    keep
        Called with each answer as soon as it counts, in another thread.
    say
        Called with a line of progress now and then.
    clock
        What pauses are made with.
    """
    run = _Run(deque(questions), settings, keep, clock)
    with start_blocking_portal() as portal:
        future = portal.start_task_soon(run.all)
        try:
            _wait(future, run, say)
        finally:
            future.cancel()
    return run.asked


def _wait(future: concurrent.futures.Future[None], run: "_Run", say: Progress) -> None:
    while True:
        try:
            return future.result(_SECONDS_BETWEEN_LINES)
        except concurrent.futures.TimeoutError:
            if future.done():  # it was the task's own
                raise
            say(run.progress_line())


class _Run:
    """The state of a run; touched by one event loop only, but for a line of progress."""

    def __init__(
        self,
        questions: deque[Question],
        settings: EnrichmentSettings,
        keep: Callable[[Answer], None],
        clock: Clock,
    ) -> None:
        self.asked = Asked(Budget(settings, clock))
        self._n_questions = len(questions)
        self._questions = questions
        self._settings = settings
        self._model = settings.model or ""
        self._keep = keep
        self._clock = clock
        self._failures_in_row = 0
        self._refused_in_row: list[Answer] = []

    async def all(self) -> None:
        """Ask everything."""
        try:
            async with (
                Client(self._settings, self.asked.budget, self._clock) as client,
                anyio.create_task_group() as group,
            ):
                for _ in range(self._settings.concurrency):
                    group.start_soon(self._ask_one_after_another, client, group.cancel_scope)
        except BaseExceptionGroup as several:
            raise _first(several) from None
        finally:
            if self.asked.problem is None:
                self._accept(*self._refused_in_row)

    async def _ask_one_after_another(self, client: Client, scope: anyio.CancelScope) -> None:
        while self._questions:
            try:
                self.asked.budget.take_item()
                asked = self._questions.popleft()
                await self._ask(client, asked)
            except BudgetSpentError as spent:
                # The others go on: what they have under way may come out cheaper than it might.
                self.asked.budget_spent = str(spent)
                return
            except EnrichmentError as error:
                self.asked.problem = str(error)
                scope.cancel()
                return

    async def _ask(self, client: Client, asked: Question) -> None:
        try:
            found = await client.ask(question(asked.words))
        except RefusedError as refusal:
            answer = Answer(asked.item_id, asked.digest, self._model, str(refusal))
            self._refused_in_row.append(answer)
            self._count_failure(str(refusal))
        except FailedError as failure:
            self.asked.failed[asked.item_id] = str(failure)
            self._count_failure(str(failure))
        else:
            self._accept(*self._refused_in_row)
            self._failures_in_row, self._refused_in_row = 0, []
            self._accept(Answer(asked.item_id, asked.digest, self._model, found))

    def _accept(self, *answers: Answer) -> None:
        for answer in answers:
            self.asked.answers.append(answer)
            self._keep(answer)

    def _count_failure(self, reason: str) -> None:
        """Count one more item without a description.

        Raises
        ------
        EnrichmentError
            If there were too many in a row.
        """
        self._failures_in_row += 1
        if self._failures_in_row >= self._settings.max_failures_in_row:
            raise EnrichmentError(
                f"{self._failures_in_row} items in a row got no usable answer of "
                f"{self._model}, so no more are asked for. The last reason: {reason}."
            )

    def progress_line(self) -> str:
        """Say how far it is."""
        asked, budget = self.asked, self.asked.budget
        line = (
            f"{len(asked.answers):,} of {self._n_questions:,} items answered, "
            f"{budget.requests:,} requests, {budget.tokens:,} tokens"
        )
        return f"{line}, cost {budget.cost:.4f}" if budget.cost else line


def _first(error: BaseException) -> BaseException:
    """Return an error that a group of tasks has wrapped, so that its own message is seen."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
