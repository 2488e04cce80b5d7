"""Maps that were learnt in; what they make of items that came later out, and tensors to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec.content import WEIGHTS, ContentMaps
from crossrec_pipeline.models.gru4rec.new_rows import NewRows
from crossrec_pipeline.models.gru4rec.side_tensors import with_prefix, without_prefix
from crossrec_pipeline.models.item_content import Bags, ItemContent, TextVectors

PREFIX = "content."
"""What the names of the tensors begin with, beside those of the network."""

_WORDS = ("types", "genres", "creators")


@dataclass(frozen=True)
class ContentHead:
    """What a trained GRU4Rec knows of content: enough to give a new item its vectors.

    Attributes
    ----------
    weights
        Of `ContentMaps`, float32, by name.
    mean, axes
        See `text_axes`.
    encoder
        What made the text vectors that were learnt from; empty where there were none.
    words
        Types, genres and creators that were learnt from.
    cold_bias
        Added to the biases of new items; see `cold_bias`.
    shift
        What is common to all states, and in the biases of the known items by their output vectors,
        float32 [H]; None where there is nothing. See `fold_means`.
    """

    weights: Mapping[str, np.ndarray]
    mean: np.ndarray
    axes: np.ndarray
    encoder: str
    words: Mapping[str, Sequence[str]]
    cold_bias: float
    shift: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        maps: ContentMaps,
        content: ItemContent,
        cold_bias: float,
        shift: torch.Tensor | None = None,
    ) -> "ContentHead":
        """Take what maps have learnt from the content of train's items."""
        weights = {name: value.detach().cpu().numpy() for name, value in maps.named_parameters()}
        words = {
            "types": content.types,
            "genres": content.genres.words,
            "creators": content.creators.words,
        }
        common = None if shift is None else shift.cpu().numpy()
        return cls(weights, maps.mean, maps.axes, content.encoder, words, cold_bias, common)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return everything as arrays, by names with `PREFIX`; `from_tensors` takes them back."""
        arrays = {**self.weights, "mean": self.mean, "axes": np.ascontiguousarray(self.axes)}
        if self.shift is not None:
            arrays["shift"] = self.shift
        about = {"encoder": self.encoder, "cold_bias": self.cold_bias, "words": dict(self.words)}
        return with_prefix(PREFIX, arrays, about)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> "ContentHead | None":
        """Find a head among a model's tensors; None where it was learnt without content."""
        found = without_prefix(PREFIX, tensors)
        if found is None:
            return None
        own, about = found
        return cls(
            {name: own[name] for name in WEIGHTS if name in own},
            own["mean"],
            own["axes"],
            about["encoder"],
            about["words"],
            about["cold_bias"],
            own.get("shift"),
        )

    def content_of(
        self, items: pl.DataFrame, catalogue: pl.DataFrame, text: TextVectors | None
    ) -> ItemContent:
        """Look new items up, in the types and words that were learnt from.

        Parameters
        ----------
        items
            Columns `item_id` and `item_type`.
        catalogue, text
            As in `ItemContent.of`.

        Raises
        ------
        TrainingError
            If a type was not learnt from, or the text vectors are another encoder's.
        """
        if "texts" in self.weights and (text is None or text.encoder != self.encoder):
            found = "none" if text is None else f"those of {text.encoder}"
            raise TrainingError(
                f"The model has learnt from text vectors of {self.encoder}, and there are {found}. "
                "Embed the items with that encoder (CROSSREC_CONTENT__ENCODER), or train the "
                "model again."
            )
        unknown = set(items["item_type"].cast(pl.String).to_list()) - set(self.words["types"])
        if unknown:
            raise TrainingError(
                f"The model knows no items of the type {min(unknown)!r}. Train it again with some."
            )
        known_words = ItemContent(
            tuple(self.words["types"]),
            np.zeros(0, np.int64),
            self.encoder,
            np.zeros((0, len(self.mean)), np.float32),
            np.zeros(0, bool),
            _no_bags(self.words["genres"]),
            _no_bags(self.words["creators"]),
        )
        read = text if "texts" in self.weights else None
        content = ItemContent.of(items, catalogue, read, like=known_words)
        if read is None and len(self.mean):
            # Nothing reads it, but it must have as many dimensions.
            return ItemContent(
                content.types,
                content.type_codes,
                self.encoder,
                np.zeros((content.n_items, len(self.mean)), np.float32),
                np.zeros(content.n_items, bool),
                content.genres,
                content.creators,
            )
        return content

    @torch.no_grad()
    def rows(self, content: ItemContent) -> NewRows:
        """Make the rows of new items of their content alone.

        Parameters
        ----------
        content
            As `content_of` gives it.
        """
        weights = {name: torch.from_numpy(np.array(value)) for name, value in self.weights.items()}
        maps = ContentMaps.of_weights(weights, self.mean, self.axes, content)
        items = torch.arange(content.n_items)
        added = maps.added(items)
        if added is None:
            raise TrainingError(
                "The model was learnt without content of its items, which is all that a new item "
                "has. Train it with CROSSREC_TRAINING__CONTENT, such as type,text,genres,creators."
            )
        vectors = added[:, :-1]
        weight = maps.adapted(vectors, items)
        bias = added[:, -1] + self.cold_bias
        if self.shift is not None:
            bias = bias + weight @ torch.from_numpy(np.array(self.shift))
        return NewRows(vectors.numpy().copy(), weight.numpy().copy(), bias.numpy().copy())


def _no_bags(words: Sequence[str]) -> Bags:
    return Bags(tuple(words), np.zeros(1, np.int64), np.zeros(0, np.int64))
