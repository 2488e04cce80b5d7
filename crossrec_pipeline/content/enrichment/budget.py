"""What requests may cost, and what they did cost, in; whether one more may be made out."""

from collections.abc import Sequence
from dataclasses import dataclass

from crossrec_pipeline.content.enrichment.pace import Clock
from crossrec_pipeline.content.enrichment.prompt import Message
from crossrec_pipeline.settings import EnrichmentSettings

_PREFIX = "CROSSREC_ENRICHMENT__"
_TOKENS_AROUND = 32
"""At most so many tokens of a message are none of its text (role, turn marks)."""


class BudgetSpentError(Exception):
    """One more request might cost more than was allowed; the message says of what."""


@dataclass(frozen=True)
class Tokens:
    """Tokens that a model has read and written."""

    prompt: int
    reply: int


def most_tokens(messages: Sequence[Message], schema: str, max_reply_tokens: int) -> Tokens:
    """Bound the tokens of a request from above, before it is made.

    No tokenizer in use makes more tokens of a text than it has bytes of UTF-8; most make a quarter
    of that.
    """
    texts = [*(message["content"] for message in messages), schema]
    return Tokens(sum(len(text.encode()) + _TOKENS_AROUND for text in texts), max_reply_tokens)


class Budget:
    """Counts what a run costs, and refuses what might go beyond the settings.

    A request is counted in full (`most_tokens`) while it is under way, and as what it did cost
    afterwards. So no bound is passed, as long as the endpoint keeps to ``max_tokens``.
    """

    def __init__(self, settings: EnrichmentSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._began = clock.now()
        self._under_way = Tokens(0, 0)
        self.items = 0
        self.requests = 0
        self.spent = Tokens(0, 0)

    @property
    def cost(self) -> float:
        """What was spent, in the currency of the prices."""
        return self._price(self.spent)

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.spent.prompt + self.spent.reply

    def take_item(self) -> None:
        """Count an item that is asked for.

        Raises
        ------
        BudgetSpentError
            If there have been as many as may be.
        """
        self._require_time()
        if self.items >= self._settings.max_items:
            raise BudgetSpentError(
                f"{_PREFIX}MAX_ITEMS={self._settings.max_items} items were asked for"
            )
        self.items += 1

    def take_request(self, most: Tokens) -> None:
        """Count a request that begins now, with the most that it may cost.

        Raises
        ------
        BudgetSpentError
            If it might cost more than is left.
        """
        settings = self._settings
        self._require_time()
        if settings.max_requests is not None and self.requests >= settings.max_requests:
            raise BudgetSpentError(f"{_PREFIX}MAX_REQUESTS={settings.max_requests} were made")
        afterwards = _sum(_sum(self.spent, self._under_way), most)
        n_tokens = afterwards.prompt + afterwards.reply
        if settings.max_tokens is not None and n_tokens > settings.max_tokens:
            raise BudgetSpentError(
                f"of {_PREFIX}MAX_TOKENS={settings.max_tokens}, {self.tokens} were used, and one "
                f"more request may take {most.prompt + most.reply}"
            )
        if settings.max_cost is not None and self._price(afterwards) > settings.max_cost:
            raise BudgetSpentError(
                f"of {_PREFIX}MAX_COST={settings.max_cost:g}, {self.cost:.4f} was spent, and one "
                f"more request may cost {self._price(most):.4f}"
            )
        self.requests += 1
        self._under_way = _sum(self._under_way, most)

    def settle(self, most: Tokens, used: Tokens) -> None:
        """Replace what a request might have cost by what it did cost."""
        self._under_way = Tokens(
            self._under_way.prompt - most.prompt, self._under_way.reply - most.reply
        )
        self.spent = _sum(self.spent, used)

    def _require_time(self) -> None:
        minutes = self._settings.max_minutes
        if minutes is not None and self._clock.now() - self._began >= 60 * minutes:
            raise BudgetSpentError(f"{_PREFIX}MAX_MINUTES={minutes:g} have passed")

    def _price(self, tokens: Tokens) -> float:
        settings = self._settings
        return (tokens.prompt * settings.prompt_price + tokens.reply * settings.reply_price) / 1e6


def _sum(one: Tokens, other: Tokens) -> Tokens:
    return Tokens(one.prompt + other.prompt, one.reply + other.reply)
