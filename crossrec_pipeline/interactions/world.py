"""In: a catalogue and a seed. Out: a world, the exact law that simulated sessions follow.

The law of one session
----------------------
1. The session has one archetype ``z`` (its user's taste), drawn from `World.archetype_share`.
2. A mood ``m`` is drawn from ``mood_share[z]``. Before each later event it stays with probability
   `stay`; otherwise it is drawn again from ``mood_share[z]`` (and may come out the same).
3. Each event is drawn from a mixture:

   ========  =============  ====================================================================
   part      weight         draws
   ========  =============  ====================================================================
   link      `link`         one of the last item's successors, with geometric weights
   noise     `noise`        any item, by popularity
   repeat    `repeat`       the item of an earlier event of the session, each such event alike
   mood      the rest       an item of the mood
   ========  =============  ====================================================================

   The first event knows noise and mood only. `repeat` falls to the mood where all earlier events
   are of the last item. Within the drawn part the last item is left out and the part's other
   items are scaled up, so that an item never follows itself.

A mood prefers a few genres of *every* type and mixes all types, so that what is chosen in one
domain tells about the others; within them it has favourites of its own (a log-normal factor per
mood and item, the niche) on top of the catalogue's popularity (a power law of the rank).
Successors share a mood with their item, whatever their type.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EventsError

MIN_ITEMS = 3


@dataclass(frozen=True)
class WorldParameters:
    """Constants of the law; `stay`, `link`, `noise` and `repeat` are probabilities.

    Attributes
    ----------
    n_archetypes, n_moods
        How many tastes, and how many moods they are made of.
    stay
        Probability that the mood is kept from one event to the next.
    link, noise, repeat
        Weights of the parts of the mixture; the mood has the rest.
    n_successors, successor_decay
        Items that an item links to, and the ratio of one's weight to the one before it.
    successor_temper
        Power of the mood's probabilities by which successors are chosen; below 1 they are less
        popular than what the mood would bring anyway.
    popularity_exponent, popularity_shift
        An item of popularity rank r (0 is the best of its type) weighs (r + shift)^-exponent.
    niche_spread
        Standard deviation of the log-normal factor per mood and item.
    genres_per_mood, genre_decay, genre_floor
        Genres of each type that a mood prefers, the ratio of their weights, and the weight of
        all other genres.
    taste_concentration
        Dirichlet parameter of the moods of an archetype: small values make tastes differ.
    type_concentration, type_floor
        Dirichlet parameter of the types in a mood, and the share that is dealt out evenly before,
        so that no mood is without a type.
    """

    n_archetypes: int = 6
    n_moods: int = 20
    stay: float = 0.95
    link: float = 0.20
    noise: float = 0.06
    repeat: float = 0.03
    n_successors: int = 8
    successor_decay: float = 0.5
    successor_temper: float = 0.5
    popularity_exponent: float = 1.0
    popularity_shift: float = 3.0
    niche_spread: float = 1.8
    genres_per_mood: int = 3
    genre_decay: float = 0.5
    genre_floor: float = 0.02
    taste_concentration: float = 0.3
    type_concentration: float = 4.0
    type_floor: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.link + self.noise + self.repeat < 1 or self.noise <= 0:
            raise ValueError("link + noise + repeat must stay below 1, and noise above 0")


@dataclass(frozen=True)
class World:
    """The law as arrays, with J archetypes, K moods, N items and S successors.

    Attributes
    ----------
    item_ids
        Item ids, sorted; the position is the item's index in this world.
    parameters
        The constants it was built with.
    archetype_share
        Probability of each archetype, float64 [J].
    mood_share
        Probability of each mood in each archetype, float64 [J, K].
    mood_items
        Probability of each item in each mood, float64 [K, N].
    noise_items
        Probability of each item as noise, float64 [N].
    successors
        Indexes of the items each item links to, none twice and never itself, int32 [N, S].
    successor_share
        Probability of each successor, float64 [S].
    """

    item_ids: tuple[str, ...]
    parameters: WorldParameters
    archetype_share: np.ndarray
    mood_share: np.ndarray
    mood_items: np.ndarray
    noise_items: np.ndarray
    successors: np.ndarray
    successor_share: np.ndarray

    @property
    def n_items(self) -> int:
        """Number of items, N."""
        return len(self.item_ids)

    @cached_property
    def index_of(self) -> dict[str, int]:
        """Item index by item id."""
        return {item_id: index for index, item_id in enumerate(self.item_ids)}


def build_world(items: pl.DataFrame, seed: int, parameters: WorldParameters | None = None) -> World:
    """Build the world of a catalogue; equal items (in any order) and seed give an equal world.

    Parameters
    ----------
    items
        Columns item_id, item_type, genres and popularity of `catalogue.schema.ITEMS`.
    seed
        Of all draws made here.
    parameters
        Constants of the law; the defaults are tuned so that the next item is learnable and far
        from certain.

    Raises
    ------
    EventsError
        If the catalogue has fewer than `MIN_ITEMS` items.
    """
    parameters = parameters or WorldParameters()
    if items.height < MIN_ITEMS:
        raise EventsError(
            f"The catalogue has {items.height} items; a simulated log needs at least {MIN_ITEMS}. "
            "Add items, or set CROSSREC_EVENTS to the path of your own log."
        )
    items = items.sort("item_id")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    type_codes = items["item_type"].cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
    popularity = _popularity_weights(items, type_codes, parameters)
    affinity = _genre_affinity(items, type_codes, parameters, rng)
    mood_items = _mood_items(popularity, affinity, type_codes, parameters, rng)
    n_archetypes, n_moods = parameters.n_archetypes, parameters.n_moods
    archetype_share = rng.dirichlet(np.full(n_archetypes, 10.0))
    mood_share = _dirichlet(rng, parameters.taste_concentration, n_archetypes, n_moods)
    n_types = int(type_codes.max()) + 1
    noise_items = _normalised_within_types(popularity[None, :], type_codes)[0] / n_types
    n_successors = min(parameters.n_successors, (items.height - 1) // 2)
    successor_share = parameters.successor_decay ** np.arange(n_successors)
    return World(
        item_ids=tuple(items["item_id"].to_list()),
        parameters=parameters,
        archetype_share=archetype_share,
        mood_share=mood_share,
        mood_items=mood_items,
        noise_items=noise_items,
        successors=_successors(
            mood_items, archetype_share @ mood_share, n_successors, parameters, rng
        ),
        successor_share=successor_share / successor_share.sum(),
    )


def _popularity_weights(
    items: pl.DataFrame, type_codes: np.ndarray, parameters: WorldParameters
) -> np.ndarray:
    """Weigh items by a power law of their popularity rank within their type, float64 [N]."""
    rank = (
        pl.DataFrame({"type": type_codes, "popularity": items["popularity"].fill_null(0.0)})
        .select(pl.col("popularity").rank("ordinal", descending=True).over("type"))
        .to_series()
        .to_numpy()
    )
    shift, exponent = parameters.popularity_shift, parameters.popularity_exponent
    return (rank - 1 + shift) ** -exponent


def _genre_affinity(
    items: pl.DataFrame,
    type_codes: np.ndarray,
    parameters: WorldParameters,
    rng: np.random.Generator,
) -> np.ndarray:
    """Say how well each item's best genre suits each mood, float64 [K, N].

    Preferred genres are dealt like cards, type by type, so that each genre suits some mood.
    """
    affinity = np.full((parameters.n_moods, items.height), parameters.genre_floor)
    weights = parameters.genre_decay ** np.arange(parameters.genres_per_mood)
    long = pl.DataFrame({"item": np.arange(items.height), "type": type_codes}).with_columns(
        items["genres"]
    )
    for _, group in (
        long.explode("genres").drop_nulls("genres").group_by("type", maintain_order=True)
    ):
        genre = group["genres"].rank("dense").to_numpy().astype(np.int64) - 1
        item = group["item"].to_numpy()
        n_genres = int(genre.max()) + 1
        n_cards = parameters.n_moods * parameters.genres_per_mood
        rounds = [rng.permutation(n_genres) for _ in range(-(-n_cards // n_genres))]
        hands = np.concatenate(rounds)[:n_cards].reshape(parameters.n_moods, -1)
        for mood, hand in enumerate(hands):
            liking = np.zeros(n_genres)
            np.maximum.at(liking, hand, weights)
            np.maximum.at(affinity[mood], item, liking[genre])
    return affinity


def _mood_items(
    popularity: np.ndarray,
    affinity: np.ndarray,
    type_codes: np.ndarray,
    parameters: WorldParameters,
    rng: np.random.Generator,
) -> np.ndarray:
    """Mix popularity, genres and niche within each type, and the types in each mood [K, N]."""
    n_moods, n_types = len(affinity), int(type_codes.max()) + 1
    niche = np.exp(parameters.niche_spread * rng.standard_normal(affinity.shape))
    within_types = _normalised_within_types(popularity * affinity * niche, type_codes)
    drawn = _dirichlet(rng, parameters.type_concentration, n_moods, n_types)
    type_share = parameters.type_floor / n_types + (1 - parameters.type_floor) * drawn
    mixed = within_types * type_share[:, type_codes]
    return mixed / mixed.sum(axis=1, keepdims=True)


def _successors(
    mood_items: np.ndarray,
    mood_prior: np.ndarray,
    n_successors: int,
    parameters: WorldParameters,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw each item's successors out of the moods it is likely in, int32 [N, S]."""
    n_items = mood_items.shape[1]
    posterior = mood_items.T * mood_prior
    posterior /= posterior.sum(axis=1, keepdims=True)
    cumulative = posterior.cumsum(axis=1)
    tempered = mood_items**parameters.successor_temper
    tempered /= tempered.sum(axis=1, keepdims=True)
    chooser = RowChooser(tempered)
    chosen = np.full((n_items, n_successors + 1), -1, dtype=np.int32)
    chosen[:, 0] = np.arange(n_items)
    for column in range(1, n_successors + 1):
        open_items = np.arange(n_items)
        while len(open_items):
            moods = (rng.random((len(open_items), 1)) > cumulative[open_items, :-1]).sum(axis=1)
            drawn = chooser.draw(rng, moods)
            taken = (chosen[open_items, :column] == drawn[:, None]).any(axis=1)
            chosen[open_items[~taken], column] = drawn[~taken]
            open_items = open_items[taken]
    return chosen[:, 1:].copy()


class RowChooser:
    """Draws columns by the probabilities in given rows of a matrix.

    Parameters
    ----------
    probabilities
        float64 [R, C], each row summing to 1.
    """

    def __init__(self, probabilities: np.ndarray) -> None:
        self._n_columns = probabilities.shape[1]
        steps = probabilities.cumsum(axis=1)
        steps /= steps[:, -1:]
        # Row r occupies (r, r + 1], so that one sorted search serves all rows at once.
        self._steps = (steps + np.arange(len(steps))[:, None]).ravel()

    def draw(self, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
        """Draw one column for each entry of `rows`, int64 [n]."""
        at = np.searchsorted(self._steps, rows + rng.random(len(rows)), side="right")
        return np.clip(at - rows * self._n_columns, 0, self._n_columns - 1)


def _dirichlet(
    rng: np.random.Generator, concentration: float, n_rows: int, n_columns: int
) -> np.ndarray:
    return rng.dirichlet(np.full(n_columns, concentration), size=n_rows)


def _normalised_within_types(weights: np.ndarray, type_codes: np.ndarray) -> np.ndarray:
    """Scale each row so that the items of every type sum to 1, float64 [R, N]."""
    one_hot = np.eye(int(type_codes.max()) + 1)[type_codes]
    return weights / (weights @ one_hot)[:, type_codes]
