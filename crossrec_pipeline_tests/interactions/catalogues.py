"""Catalogues for the tests of the interaction log."""

import numpy as np
import polars as pl

GENRES = {"Movie": (18, 1, 4), "Music": (25, 1, 2), "Book": (30, 2, 6)}
"""Item type: number of genres, and the fewest and most an item has."""


def catalogue(n_movies: int, n_tracks: int, n_books: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for item_type, n_items in (("Movie", n_movies), ("Music", n_tracks), ("Book", n_books)):
        n_genres, fewest, most = GENRES[item_type]
        share = np.arange(1, n_genres + 1) ** -0.7
        for number in range(n_items):
            n_own = int(rng.integers(fewest, most + 1))
            own = rng.choice(n_genres, n_own, replace=False, p=share / share.sum())
            genres = [f"{item_type} genre {genre}" for genre in own]
            popularity = (number + 1) / n_items
            rows.append((f"{item_type}_{number}", item_type, genres, popularity))
    return pl.DataFrame(rows, schema=["item_id", "item_type", "genres", "popularity"], orient="row")
