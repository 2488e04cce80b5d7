"""Small vocabularies for tests of models."""

import polars as pl

from crossrec_pipeline.sessions.vocabulary import Vocabulary


def vocabulary_of(*item_ids: str) -> Vocabulary:
    """Items in the given order; the type is the prefix, the title the rest."""
    return Vocabulary.from_items(
        pl.DataFrame(
            {
                "item_id": item_ids,
                "item_type": [item_id.partition("_")[0] for item_id in item_ids],
                "title": [item_id.partition("_")[2] for item_id in item_ids],
                "support": [1] * len(item_ids),
            }
        )
    )


def numbered_vocabulary(n_items: int) -> Vocabulary:
    """Return movies named by their item index."""
    return vocabulary_of(*(f"Movie_{index}" for index in range(n_items)))
