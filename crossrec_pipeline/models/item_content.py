"""Catalogue rows and text embeddings in; what is known of a vocabulary's items, as arrays, out."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import text_digest
from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_ABOUT = "about"


class TextVectors(Protocol):
    """Text embeddings by item id; `content.embeddings.ItemEmbeddings` is one."""

    @property
    def encoder(self) -> str:
        """What made them."""
        ...

    def rows(self, item_ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of items, float32 [M, D], and which of them have one, bool [M]."""
        ...


@dataclass(frozen=True)
class Bags:
    """Some words for each item, as numbers in rows of different lengths.

    Attributes
    ----------
    words
        Distinct words; a word's number is its place.
    offsets, values
        Item `i` has the words ``values[offsets[i]:offsets[i + 1]]``, ascending; int64 [N + 1],
        int64.
    """

    words: tuple[str, ...]
    offsets: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, rows: pl.Series, words: tuple[str, ...] | None = None, least: int = 1) -> "Bags":
        """Give numbers to the words of rows of text, without regard to case.

        Parameters
        ----------
        rows
            A list of texts for each item.
        words
            The words to know, each once; None takes those that `least` items have, sorted.
        least
            Items that a word must have to be known.
        """
        lowered = (
            pl.DataFrame({"row": np.arange(len(rows)), "word": rows})
            .explode("word")
            .with_columns(pl.col("word").str.strip_chars().str.to_lowercase())
            .drop_nulls()
            .filter(pl.col("word") != "")
            .unique()
        )
        if words is None:
            counts = lowered.group_by("word").len().filter(pl.col("len") >= least)
            words = tuple(sorted(counts["word"].to_list()))
        numbers = pl.DataFrame(
            {"word": pl.Series(words, dtype=pl.String), "number": np.arange(len(words))}
        )
        numbered = lowered.join(numbers, on="word").sort("row", "number")
        counts = np.bincount(numbered["row"].to_numpy(), minlength=len(rows))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return cls(words, offsets, numbered["number"].to_numpy().astype(np.int64))


@dataclass(frozen=True)
class ItemContent:
    """What is known of items beyond who chose them, row `i` being item `i`.

    Attributes
    ----------
    types, type_codes
        Names of the types, sorted, and each item's place among them, int64 [N].
    encoder
        What made the text vectors; empty where there are none.
    text, has_text
        Text vectors, zero where an item has none, float32 [N, D]; and whether it has, bool [N].
    genres, creators
        What the catalogue says; what it filled in says nothing.
    """

    types: tuple[str, ...]
    type_codes: np.ndarray
    encoder: str
    text: np.ndarray
    has_text: np.ndarray
    genres: Bags
    creators: Bags

    @property
    def n_items(self) -> int:
        """Number of items, N."""
        return len(self.type_codes)

    @classmethod
    def unknown(cls, vocabulary: Vocabulary) -> "ItemContent":
        """Nothing is known but the types."""
        frame = vocabulary.frame.select("item_id", "item_type")
        return cls.of(frame, _NO_CATALOGUE, None)

    @classmethod
    def of(
        cls,
        items: pl.DataFrame,
        catalogue: pl.DataFrame,
        text: TextVectors | None,
        *,
        like: "ItemContent | None" = None,
    ) -> "ItemContent":
        """Look items up in the catalogue and among the embeddings.

        Parameters
        ----------
        items
            Columns `item_id` and `item_type`, in the order of the result.
        catalogue
            Columns `item_id`, `genres`, `creators` and `imputed` of `catalogue.items`; items that
            it lacks have no genres and no creators.
        text
            Embeddings of the items' words.
        like
            Take its types and words, in place of those found here. Words of fewer than two items
            are not taken otherwise: of an item that no other shares a creator with, the creator
            says no more than the item does.

        Raises
        ------
        ValueError
            If an item is of a type that `like` does not know.
        """
        item_types = items["item_type"].cast(pl.String)
        types = like.types if like else tuple(sorted(item_types.unique().to_list()))
        codes = {name: code for code, name in enumerate(types)}
        if unknown := set(item_types.to_list()) - codes.keys():
            raise ValueError(f"items of the type {min(unknown)!r} are not among {types}")
        known = items.select("item_id").join(
            catalogue.select("item_id", "genres", "creators", "imputed"),
            on="item_id",
            how="left",
            maintain_order="left",
        )
        n_items = items.height
        vectors, found = np.zeros((n_items, 0), np.float32), np.zeros(n_items, bool)
        if text is not None:
            vectors, found = text.rows(items["item_id"].to_list())
            # An item of which the catalogue says nothing has a vector of zeros.
            found = found & vectors.any(axis=1)
        return cls(
            types,
            np.array([codes[name] for name in item_types.to_list()], dtype=np.int64),
            "" if text is None else text.encoder,
            vectors,
            found,
            Bags.of(said(known, "genres"), like.genres.words if like else None, least=2),
            Bags.of(said(known, "creators"), like.creators.words if like else None, least=2),
        )

    def save(self, path: Path) -> None:
        """Write as one safetensors file, whole or not at all."""
        about = {
            "encoder": self.encoder,
            "types": self.types,
            "genres": self.genres.words,
            "creators": self.creators.words,
        }
        arrays = {
            "type_codes": self.type_codes,
            "text": np.ascontiguousarray(self.text),
            "has_text": self.has_text,
            "genres_offsets": self.genres.offsets,
            "genres_values": self.genres.values,
            "creators_offsets": self.creators.offsets,
            "creators_values": self.creators.values,
        }
        with atomic_file(path) as partial:
            save_file(arrays, partial, metadata={_ABOUT: json.dumps(about)})

    @classmethod
    def open(cls, path: Path) -> "ItemContent":
        """Read what `save` wrote.

        Raises
        ------
        TrainingError
            If it is missing or damaged.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads((file.metadata() or {})[_ABOUT])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            genres, creators = (
                Bags(tuple(about[name]), arrays[f"{name}_offsets"], arrays[f"{name}_values"])
                for name in ("genres", "creators")
            )
            return cls(
                tuple(about["types"]),
                arrays["type_codes"],
                about["encoder"],
                arrays["text"],
                arrays["has_text"],
                genres,
                creators,
            )
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise TrainingError(
                f"{path} is missing, or does not hold the content of items ({error}). Train the "
                "model again: it is written before that."
            ) from error

    @property
    def digest(self) -> str:
        """Content version."""
        arrays = (
            self.type_codes,
            self.text,
            *(array for bags in (self.genres, self.creators) for array in _arrays(bags)),
        )
        words = "\n".join([*self.types, "", *self.genres.words, "", *self.creators.words])
        return text_digest(self.encoder, words, *(_bytes_digest(array) for array in arrays))


_NO_CATALOGUE = pl.DataFrame(
    schema={
        "item_id": pl.String,
        "genres": pl.List(pl.String),
        "creators": pl.List(pl.String),
        "imputed": pl.List(pl.String),
    }
)


def said(known: pl.DataFrame, column: str) -> pl.Series:
    """Return what the source says in a column, an empty list where it was filled in or is null.

    Parameters
    ----------
    known
        The column, lists of texts, and `imputed`, names of columns that were filled in; null where
        an item is unknown.
    column
        Which one.
    """
    filled_in = pl.col("imputed").list.contains(column).fill_null(True)
    nothing = pl.lit([], pl.List(pl.String))
    said_by_source = pl.when(filled_in).then(nothing).otherwise(pl.col(column))
    return known.select(said_by_source.fill_null([]).alias(column)).to_series()


def _arrays(bags: Bags) -> tuple[np.ndarray, np.ndarray]:
    return bags.offsets, bags.values


def _bytes_digest(array: np.ndarray) -> str:
    return sha256(np.ascontiguousarray(array).data).hexdigest()
