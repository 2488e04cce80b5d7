"""A model that has learnt from content, and the catalogue, in; the items it can take up out.

Nothing is learnt here, and no session is looked at: a new item is scored by what the model has
learnt of the words, genres and creators that it has. The items known before are scored as before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import polars as pl

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.additions import ITEM_COLUMNS, Additions
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.item_content import Bags, ItemContent, TextVectors, said
from crossrec_pipeline.models.item_links import INDEXES, LinkedItems
from crossrec_pipeline.sessions.vocabulary import Vocabulary

if TYPE_CHECKING:
    from crossrec_pipeline.models.gru4rec.content_head import ContentHead

BY_IDS_ALONE = "the model was trained without content"
UNKNOWN_TYPE = "of a type that the model does not know"
NOTHING_TO_GO_BY = "nothing to go by: no text, genre or creator that the model has learnt from"


@runtime_checkable
class GrowingModel(Protocol):
    """A model that may take up items that came after its training."""

    @property
    def head(self) -> "ContentHead | None":
        """What it has learnt of content; None where it goes by ids alone, and cannot grow."""
        ...

    def grown(self, rows: Additions) -> Recommender:
        """Return a model that knows more items, as the last ones."""
        ...


@runtime_checkable
class LinkReader(Protocol):
    """A model that may look at which items belong together."""

    @property
    def reads_links(self) -> bool:
        """Whether it does."""
        ...


@dataclass(frozen=True)
class NewItems:
    """Items of the catalogue that a model was not trained on.

    Attributes
    ----------
    additions
        Those it can take up.
    left_out
        Number of the others, by reason.
    """

    additions: Additions
    left_out: Mapping[str, int]


def find_new_items(
    model: Recommender,
    vocabulary: Vocabulary,
    catalogue: pl.DataFrame,
    text: TextVectors | None,
    boost: float = 0.0,
    links: pl.DataFrame | None = None,
) -> NewItems:
    """Look for items that a model can take up.

    These are the items of the catalogue that its vocabulary lacks, that are of a type it knows, and
    that have a text vector, or a genre or a creator it has learnt from, where it reads these.

    Parameters
    ----------
    model
        Fitted, of any kind; only a `GrowingModel` with a head takes anything up.
    vocabulary
        Of the model.
    catalogue
        Columns `item_id`, `item_type`, `title`, `genres`, `creators` and `imputed` of
        `catalogue.items`.
    text
        Embeddings of the items' words; None where there are none.
    boost
        Added to the scores of all new items, nats: exp(boost) times as likely to come next.
    links
        Columns `item_id` and `other_id` of `catalogue.item_links`; None where nothing is linked.
        Only a `LinkReader` gets those of the new items, so that others stay as they are when a
        link changes.

    Raises
    ------
    TrainingError
        If the model reads text, there are new items, and the embeddings are another encoder's.
    """
    new = catalogue.join(vocabulary.frame.select("item_id"), on="item_id", how="anti")
    head = model.head if isinstance(model, GrowingModel) else None
    if head is None:
        return NewItems(Additions.none(), _counted({BY_IDS_ALONE: new.height}))
    has_type = pl.col("item_type").cast(pl.String).is_in(list(head.words["types"]))
    known = new.filter(has_type).sort("item_id")
    left_out = {UNKNOWN_TYPE: new.height - known.height}
    if known.is_empty():
        return NewItems(Additions.none(), _counted(left_out))
    content = head.content_of(known, known, text)
    tells = _tells(head, content)
    left_out[NOTHING_TO_GO_BY] = int((~tells).sum())
    if not tells.any():
        return NewItems(Additions.none(), _counted(left_out))
    rows = head.rows(content)
    items = known.select(
        pl.col("item_id", "title"),
        pl.col("item_type").cast(pl.String),
        said(known, "creators"),
        said(known, "genres"),
    ).filter(tells)
    linked = _linked(model, vocabulary, items["item_id"], links)
    additions = Additions(
        rows.vectors[tells],
        rows.weight[tells],
        rows.bias[tells] + np.float32(boost),
        items.with_columns(linked).select(*ITEM_COLUMNS),
    )
    return NewItems(additions, _counted(left_out))


def grow(
    model: Recommender, vocabulary: Vocabulary, additions: Additions
) -> tuple[Recommender, Vocabulary]:
    """Return a model and a vocabulary that know more items, as the last ones.

    Parameters
    ----------
    model, vocabulary
        That the additions were made for. They stay as they are.
    additions
        As `find_new_items` finds them.

    Raises
    ------
    TrainingError
        If the model cannot grow.
    ValueError
        If an item is known already.
    """
    if not isinstance(model, GrowingModel):
        raise TrainingError(f"A model of the kind {model.kind} cannot take up new items.")
    return model.grown(additions), vocabulary.grown(additions.items)


def _tells(head: "ContentHead", content: ItemContent) -> np.ndarray:
    """Say of which items the head reads more than the type, bool [M]."""
    parts = {
        "texts": content.has_text,
        "genres": _has_words(content.genres),
        "creators": _has_words(content.creators),
    }
    read = [has_part for name, has_part in parts.items() if name in head.weights]
    return np.any(read, axis=0) if read else np.zeros(content.n_items, dtype=bool)


def _linked(
    model: Recommender, vocabulary: Vocabulary, new: pl.Series, links: pl.DataFrame | None
) -> pl.Series:
    """List the indexes of what new items are linked with, where the model looks at that."""
    if links is None or not (isinstance(model, LinkReader) and model.reads_links):
        return pl.Series("linked", [[]] * len(new), dtype=INDEXES)
    item_ids = pl.concat([vocabulary.frame["item_id"], new])
    return LinkedItems.of(links, item_ids).rows_from(vocabulary.n_items).alias("linked")


def _has_words(bags: Bags) -> np.ndarray:
    return np.diff(bags.offsets) > 0


def _counted(left_out: Mapping[str, int]) -> dict[str, int]:
    return {reason: n for reason, n in left_out.items() if n}
