"""A vocabulary in, details of its items out: what can be said without a catalogue."""

from crossrec_pipeline.serving.api.schemas import (
    Because,
    Explanation,
    FoundItem,
    ItemDetail,
    ItemSummary,
)
from crossrec_pipeline.serving.engine.base import Ranking
from crossrec_pipeline.sessions.vocabulary import Vocabulary


class PlainCatalogue:
    """Items of a vocabulary, found by a part of their title."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._rows = vocabulary.frame.rows()

    def index_of(self, item_id: str) -> int | None:
        """Return the model's item index of an id."""
        return self._vocabulary.index_of(item_id) if item_id in self._vocabulary else None

    def summary(self, item_index: int) -> ItemSummary:
        """Describe an item in short."""
        _, item_id, item_type, title, _ = self._rows[item_index]
        return ItemSummary(
            item_id=item_id, item_type=item_type, title=title, creators=[], genres=[]
        )

    def detail(self, item_id: str) -> ItemDetail | None:
        """Describe an item, or return None for an unknown one."""
        index = self.index_of(item_id)
        if index is None:
            return None
        return ItemDetail(
            **self.summary(index).model_dump(),
            recommendable=True,
            popularity=None,
            train_events=self._rows[index][4],
        )

    def search(
        self, query: str, *, item_type: str | None = None, limit: int = 10
    ) -> list[FoundItem]:
        """Find items by a part of their title."""
        part = query.casefold()
        found: list[FoundItem] = []
        for index, (_, _, found_type, title, _) in enumerate(self._rows):
            if part in title.casefold() and item_type in (None, found_type):
                found.append(FoundItem(**self.summary(index).model_dump(), recommendable=True))
                if len(found) == limit:
                    break
        return found


def explain(
    catalogue: PlainCatalogue, session: list[int], ranking: Ranking, place: int
) -> Explanation:
    """Say which item of the session speaks most for a recommended one."""
    assert ranking.influence is not None
    positive = ranking.influence[place].clip(min=0)
    total = float(positive.sum())
    if total <= 0:
        return Explanation(sentence="No item of the session speaks for it.", because=[], shared=[])
    best = int(positive.argmax())
    item = catalogue.summary(session[best])
    because = Because(item_id=item.item_id, title=item.title, share=float(positive[best]) / total)
    return Explanation(sentence=f"Mostly for {item.title}.", because=[because], shared=[])
