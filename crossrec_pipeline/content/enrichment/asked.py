"""Questions for an endpoint in; what came of them out: answers, failures, and the cost."""

from dataclasses import dataclass, field

from crossrec_pipeline.content.enrichment.budget import Budget
from crossrec_pipeline.content.enrichment.results import Answer


@dataclass(frozen=True)
class Question:
    """An item that is asked for: its words, and their digest."""

    item_id: str
    digest: str
    words: str


@dataclass
class Asked:
    """What came of a run.

    Attributes
    ----------
    budget
        What it did cost.
    answers
        In the order in which they came; refusals too.
    failed
        Why items got no answer that the endpoint may still give, by `item_id`.
    budget_spent
        Of what no more was allowed, where that ended the run.
    problem
        Why nobody can be asked at present, where that ended the run.
    """

    budget: Budget
    answers: list[Answer] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    budget_spent: str | None = None
    problem: str | None = None
