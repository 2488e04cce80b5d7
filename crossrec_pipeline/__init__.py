"""Session-based, cross-domain recommendations as a Dagster pipeline.

The library's face is `load_recommender` and `recommend_next_items`; both are imported at their
first use, so that ``import crossrec_pipeline`` stays cheap for Dagster and the command line.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossrec_pipeline.serving.recommender import load_recommender, recommend_next_items

__all__ = ["load_recommender", "recommend_next_items"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("crossrec_pipeline.serving.recommender"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
