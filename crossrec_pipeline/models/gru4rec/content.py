"""Items and what is known of them in; what that adds to their vectors, and maps by type, out."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.item_content import ItemContent

WEIGHTS = ("types", "texts", "genres", "creators", "adapter_down", "adapter_up")
"""What `ContentMaps` learns."""

_FEATURES = "features"


def text_axes(content: ItemContent, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the principal axes of items' text vectors.

    Parameters
    ----------
    content
        Of the items of train, which alone decide.
    width
        Axes at most; there are never more than texts or dimensions.

    Returns
    -------
    mean, axes
        Float32 [D] and [D, W]: ``(text - mean) @ axes`` has a mean square of 1 over the items that
        have a text. W is 0 where fewer than two have one.
    """
    text = content.text[content.has_text].astype(np.float64)
    if len(text) < 2:
        return np.zeros(content.text.shape[1], np.float32), np.zeros(
            (content.text.shape[1], 0), np.float32
        )
    mean = text.mean(axis=0)
    centred = text - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / len(text))
    best = np.argsort(-variances)[: min(width, len(text) - 1)]
    best = best[variances[best] > 1e-12 * variances.max(initial=1e-300)]
    axes = axes[:, best]
    # The sign of an axis is arbitrary: its largest part is made positive.
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    axes = axes * np.sign(largest)
    scale = 1 / np.sqrt(max(float(variances[best].sum()), 1e-300))
    return mean.astype(np.float32), (axes * scale).astype(np.float32)


def text_features(content: ItemContent, mean: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Put items' texts on axes; an item without a text is where the mean text is, [N, W]."""
    features = (content.text - mean) @ axes
    features[~content.has_text] = 0
    return features.astype(np.float32)


class ContentMaps(nn.Module):
    """What content adds to items' vectors and biases, and what a type does to its output vectors.

    All maps begin at nothing, so that training begins as it would without content.

    Parameters
    ----------
    config
        Which parts there are.
    content
        Of the items, in the order of the vocabulary.
    generator
        Source of the initial weights (on the CPU, so that they are equal on all devices).

    Attributes
    ----------
    types, texts, genres, creators
        What each feature adds, float [features, H + 1], the last column to the bias; None where
        the part is left out.
    adapter_down, adapter_up
        Float [H, T × rank] and [T × rank, H], or None.
    """

    types: Tensor | None
    texts: Tensor | None
    genres: Tensor | None
    creators: Tensor | None
    adapter_down: Tensor | None
    adapter_up: Tensor | None

    def __init__(
        self, config: GRU4RecConfig, content: ItemContent, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.mean, self.axes = text_axes(content, config.text_width)
        self.rank, width, n_types = config.adapter_rank, config.hidden_size, len(content.types)
        sizes = {
            "type": ("types", n_types),
            "text": ("texts", self.axes.shape[1]),
            "genres": ("genres", len(content.genres.words)),
            "creators": ("creators", len(content.creators.words)),
        }
        weights = {
            name: torch.zeros(n_features, width + 1)
            for part, (name, n_features) in sizes.items()
            if part in config.content and n_features > 0
        }
        if self.rank:
            down = torch.empty(width, n_types * self.rank)
            weights["adapter_down"] = down.normal_(0, width**-0.5, generator=generator)
            weights["adapter_up"] = torch.zeros(n_types * self.rank, width)
        self._take(weights, content)

    @classmethod
    def of_weights(
        cls, weights: Mapping[str, Tensor], mean: np.ndarray, axes: np.ndarray, content: ItemContent
    ) -> "ContentMaps":
        """Make maps that were learnt read the content of these items.

        Parameters
        ----------
        weights
            By the names of the attributes.
        mean, axes
            Of the texts that were learnt from; see `text_axes`.
        content
            Of any items, with the types and words that were learnt from; see `ItemContent.of`.
        """
        maps = cls.__new__(cls)
        nn.Module.__init__(maps)
        maps.mean, maps.axes = mean, axes
        up = weights.get("adapter_up")
        maps.rank = 0 if up is None else len(up) // len(content.types)
        maps._take(weights, content)
        return maps

    def _take(self, weights: Mapping[str, Tensor], content: ItemContent) -> None:
        """Register weights, and the items' features: no weights, they follow to a device."""
        self.n_types = len(content.types)
        for name in WEIGHTS:
            value = weights.get(name)
            self.register_parameter(name, None if value is None else nn.Parameter(value))
        features = text_features(content, self.mean, self.axes)
        self._keep("text", torch.from_numpy(features))
        self._keep("type", torch.from_numpy(content.type_codes))
        for name, bags in (("genres", content.genres), ("creators", content.creators)):
            self._keep(f"{name}_offsets", torch.from_numpy(bags.offsets))
            self._keep(f"{name}_values", torch.from_numpy(bags.values))

    def _keep(self, name: str, values: Tensor) -> None:
        self.register_buffer(f"{_FEATURES}_{name}", values, persistent=False)

    def _feature(self, name: str) -> Tensor:
        return self.get_buffer(f"{_FEATURES}_{name}")

    def types_of(self, items: Tensor) -> Tensor:
        """Return the type of each of some items, int64 [R]."""
        return self._feature("type")[items]

    def added(self, items: Tensor) -> Tensor | None:
        """Return what content adds to items, int64 [R] → float [R, H + 1], or None for nothing."""
        parts = []
        if self.types is not None:
            parts.append(self.types.index_select(0, self.types_of(items)))
        if self.texts is not None:
            parts.append(self._feature("text").index_select(0, items) @ self.texts)
        parts += [
            _mean_of_words(
                weights, self._feature(f"{name}_offsets"), self._feature(f"{name}_values"), items
            )
            for name, weights in (("genres", self.genres), ("creators", self.creators))
            if weights is not None
        ]
        return sum(parts[1:], start=parts[0]) if parts else None

    def adapted(self, vectors: Tensor, items: Tensor) -> Tensor:
        """Return output vectors of items as their types' states read them, [C, H] → [C, H]."""
        if self.adapter_down is None or self.adapter_up is None:
            return vectors
        own = functional.one_hot(self.types_of(items), self.n_types).to(vectors.dtype)
        narrow = (vectors @ self.adapter_down) * own.repeat_interleave(self.rank, dim=1)
        return vectors + narrow @ self.adapter_up


def _mean_of_words(weights: Tensor, offsets: Tensor, values: Tensor, items: Tensor) -> Tensor:
    """Average the rows of each item's words, zeros where it has none, [R, H + 1]."""
    first = offsets[items]
    count = offsets[items + 1] - first
    begin = torch.cumsum(count, 0) - count
    place = torch.arange(int(count.sum()), device=items.device)
    words = values[place + torch.repeat_interleave(first - begin, count)]
    return functional.embedding_bag(words, weights, begin, mode="mean")


class ContentReading:
    """The rows a step reads, with content added, and the way back for their gradients.

    Parameters
    ----------
    maps
        What content adds.
    config
        Dropout of ids, and the contrast of types.
    items
        Distinct items whose rows are read, int64 [R].
    rows, bias
        Their own vectors, float [R, H]; biases of the first C of them, float [C].
    inputs, targets
        Where among the items each event's input and target are, int64 [N].

    Attributes
    ----------
    vectors
        Float [R, H]: what the input vectors are taken from.
    weight, bias
        Output vectors, float [C, H] and more rows where they are the same as `vectors`; and
        biases, float [C].
    """

    def __init__(
        self,
        maps: ContentMaps,
        config: GRU4RecConfig,
        items: Tensor,
        rows: Tensor,
        bias: Tensor,
        inputs: Tensor,
        targets: Tensor,
    ) -> None:
        self._maps = maps
        n_scored = len(bias)
        with torch.enable_grad():
            self._rows, self._bias = rows.requires_grad_(), bias.requires_grad_()
            vectors, with_bias = self._rows, self._bias
            if config.id_dropout and maps.training:
                kept = (torch.rand(len(items), device=items.device) >= config.id_dropout).to(rows)
                vectors, with_bias = vectors * kept[:, None], with_bias * kept[:n_scored]
            added = maps.added(items)
            if added is not None:
                vectors = vectors + added[:, :-1]
                with_bias = with_bias + added[:n_scored, -1]
            self._outputs = [vectors, with_bias]
            self._adapts = maps.rank > 0
            if self._adapts:
                self._outputs.append(maps.adapted(vectors[:n_scored], items[:n_scored]))
            self._contrast = None
            if config.alignment_weight:
                codes = maps.types_of(items)
                pairs = torch.stack([inputs, targets], dim=1)[codes[inputs] != codes[targets]]
                if len(pairs) > 1:
                    found = alignment(vectors, pairs, config.alignment_temperature)
                    self._contrast = config.alignment_weight * found
        self.vectors, self.bias = vectors.detach(), with_bias.detach()
        self.weight = self._outputs[2].detach() if self._adapts else self.vectors

    def pull_back(
        self, d_vectors: Tensor, d_weight: Tensor, d_bias: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Take gradients back to what was read.

        Parameters
        ----------
        d_vectors, d_weight, d_bias
            Gradients of the attributes of the same names.

        Returns
        -------
        d_rows, d_own_bias, of_maps
            Gradients of the items' own vectors and biases, float [R, H] and [C], and of the maps'
            weights by name.
        """
        of_maps = dict(self._maps.named_parameters())
        leaves = [self._rows, self._bias, *of_maps.values()]
        if self._adapts:
            gradients = [d_vectors, d_bias, d_weight]
        else:
            gradients = [d_vectors + d_weight, d_bias]
        outputs = list(self._outputs)
        if self._contrast is not None:
            outputs.append(self._contrast)
            gradients.append(torch.ones_like(self._contrast))
        found = torch.autograd.grad(
            outputs, leaves, gradients, allow_unused=True, materialize_grads=True
        )
        return found[0], found[1], dict(zip(of_maps, found[2:], strict=True))


def alignment(vectors: Tensor, pairs: Tensor, temperature: float) -> Tensor:
    """Contrast each item with what followed it, among all that followed (InfoNCE), both ways.

    Parameters
    ----------
    vectors
        Float [R, H].
    pairs
        Rows of an item and of the one after it, int64 [P, 2]. The same row in another pair is not
        contrasted with itself.
    temperature
        What cosines are divided by.

    Returns
    -------
    Tensor
        Mean over the pairs and the two directions, float [].
    """
    first, second = pairs.unbind(dim=1)
    unit = functional.normalize(vectors, dim=1, eps=1e-6)
    cosines = unit.index_select(0, first) @ unit.index_select(0, second).t() / temperature
    itself = torch.eye(len(pairs), dtype=torch.bool, device=pairs.device)

    def one_way(scores: Tensor, given: Tensor, sought: Tensor) -> Tensor:
        same = (given[:, None] == given[None, :]) | (sought[:, None] == sought[None, :])
        return (
            -torch.log_softmax(scores.masked_fill(same & ~itself, -torch.inf), dim=1)
            .diagonal()
            .mean()
        )

    forward, backward = one_way(cosines, first, second), one_way(cosines.t(), second, first)
    return (forward + backward) / 2
