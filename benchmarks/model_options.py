"""Names of models in; models with given options, and the options that are tried, out."""

from collections.abc import Mapping, Sequence
from typing import Any

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.registry import model_class

Options = Mapping[str, Any]

HYBRID = "hybrid"
HYBRID_MEMBERS = ("gru4rec", "vstan", "sequential_rules")
NEIGHBOURS = ("sknn", "vsknn", "vmis", "stan", "vstan")

TRIED: Mapping[str, Sequence[Options]] = {
    "popularity": ({},),
    "session_popularity": ({},),
    "markov": ({},),
    "association_rules": ({"decay": 0.4}, {"decay": 0.6}, {"decay": 0.8}),
    "sequential_rules": ({"decay": 0.4}, {"decay": 0.6}, {"decay": 0.8}),
    "item_knn": ({"shrinkage": 5.0}, {"shrinkage": 20.0}, {"shrinkage": 80.0}),
    "ease": ({},),
    "sknn": ({"k": 100}, {"k": 200}, {"k": 500, "sample": 5000}),
    "vsknn": (
        {},
        {"k": 100},
        {"k": 500, "sample": 5000},
        {"similarity_decay": "linear"},
        {"similarity_decay": "quadratic"},
        {"idf_weight": 5.0},
    ),
    "vmis": ({"k": 100}, {"k": 200}, {"k": 500, "sample": 5000}),
    "stan": ({}, {"place_scale": 3.0}, {"age_scale": 1.2}, {"distance_scale": 10.0}),
    "vstan": (
        {},
        {"place_scale": 2.5},
        {"place_scale": 10.0},
        {"age_scale": 0.5},
        {"distance_scale": 10.0},
        {"score_scale": 4.0},
    ),
    "gru4rec": ({"preset": "clicks"},),
}
"""What is tried of each model on validation; of GRU4Rec the number of epochs as well."""


def make(kind: str, options: Options) -> Recommender:
    """Make a model that has learnt nothing yet.

    Raises
    ------
    SettingsError
        If an option is impossible.
    """
    model: Any = model_class(kind)
    if kind in NEIGHBOURS:
        return model(model.config_type(**options))
    if kind == "gru4rec":
        given = dict(options)
        return model(preset(given.pop("preset"), **given), progress_bar=False)
    try:
        return model(**options)
    except TypeError as error:
        raise SettingsError(f"{kind} has no such option: {error}") from None
