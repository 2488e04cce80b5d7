"""Embeddings of items whose neighbours can be told by hand: places on a circle."""

import numpy as np

from crossrec_pipeline.content.embeddings import ItemEmbeddings


def embeddings_of(*places: tuple[str, float | None]) -> ItemEmbeddings:
    """Embed items by their degrees on a circle; None is an item without words."""
    item_ids = [item_id for item_id, _ in places]
    radians = np.radians([degrees or 0.0 for _, degrees in places])
    vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
    vectors[[degrees is None for _, degrees in places]] = 0
    return ItemEmbeddings(
        item_ids,
        [item_id.partition("_")[0] for item_id in item_ids],
        [str(degrees) for _, degrees in places],
        vectors,
        "circle@1",
    )
