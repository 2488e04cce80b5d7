"""The catalogue's words on items in; numbers that can be compared out."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from crossrec_pipeline.models.item_content import Bags, said
from crossrec_pipeline.models.item_links import LinkedItems
from crossrec_pipeline.sessions.vocabulary import Vocabulary

COLUMNS = ("creators", "genres")


@dataclass(frozen=True)
class ItemAttributes:
    """Creators, genres and links of every item, each as numbers in rows of different lengths.

    Attributes
    ----------
    creator_offsets, creators
        Item `i` has ``creators[creator_offsets[i]:creator_offsets[i + 1]]``, ascending; int64
        [n_items + 1], int32.
    genre_offsets, genres
        Likewise.
    links
        What tells the story of an item, or is another edition of it.
    creator_words, genre_words
        What the numbers stand for; None where that was not kept: items that come later then have
        neither creators nor genres.
    """

    creator_offsets: np.ndarray
    creators: np.ndarray
    genre_offsets: np.ndarray
    genres: np.ndarray
    links: LinkedItems
    creator_words: tuple[str, ...] | None = None
    genre_words: tuple[str, ...] | None = None

    @classmethod
    def unknown(cls, n_items: int) -> "ItemAttributes":
        """Nothing is known of any item."""
        offsets, values = np.zeros(n_items + 1, np.int64), np.zeros(0, np.int32)
        return cls(offsets, values, offsets, values, LinkedItems.none(n_items), (), ())

    @classmethod
    def from_catalogue(
        cls, items: pl.DataFrame, vocabulary: Vocabulary, links: pl.DataFrame | None = None
    ) -> "ItemAttributes":
        """Take what the catalogue says as numbers; what it filled in says nothing.

        Parameters
        ----------
        items
            Columns `item_id`, `creators`, `genres` and `imputed` of `catalogue.items`.
        vocabulary
            Items that the catalogue lacks have no creators and no genres.
        links
            Columns `item_id` and `other_id` of `catalogue.item_links`; None where nothing is
            linked. Links of items outside the vocabulary are left out.
        """
        known = vocabulary.frame.select("item_id").join(
            items.select("item_id", *COLUMNS, "imputed"),
            on="item_id",
            how="left",
            maintain_order="left",
        )
        creators, genres = (Bags.of(said(known, name)) for name in COLUMNS)
        linked = LinkedItems.none(vocabulary.n_items)
        if links is not None:
            linked = LinkedItems.of(links, vocabulary.frame["item_id"])
        return cls(*_numbers(creators), *_numbers(genres), linked, creators.words, genres.words)

    def grown(self, items: pl.DataFrame) -> "ItemAttributes":
        """Take in further items, after the others; words that nobody had so far get new numbers.

        Parameters
        ----------
        items
            Columns `creators` and `genres`, lists of texts, and `linked`, of indexes of items.
        """
        creators = _more(self.creator_offsets, self.creators, self.creator_words, items["creators"])
        genres = _more(self.genre_offsets, self.genres, self.genre_words, items["genres"])
        links = self.links.grown(items["linked"])
        return ItemAttributes(*creators[:2], *genres[:2], links, creators[2], genres[2])


_Rows = tuple[np.ndarray, np.ndarray, tuple[str, ...] | None]


def _numbers(bags: Bags) -> tuple[np.ndarray, np.ndarray]:
    return bags.offsets, bags.values.astype(np.int32)


def _more(
    offsets: np.ndarray, values: np.ndarray, words: tuple[str, ...] | None, rows: pl.Series
) -> _Rows:
    """Add rows of words to rows of numbers."""
    if words is None:
        return np.concatenate([offsets, np.full(len(rows), offsets[-1])]), values, None
    known = set(words)
    words += tuple(word for word in Bags.of(rows).words if word not in known)
    added = Bags.of(rows, words)
    return (
        np.concatenate([offsets, offsets[-1] + added.offsets[1:]]),
        np.concatenate([values, added.values.astype(np.int32)]),
        words,
    )
