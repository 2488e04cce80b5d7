"""GRU4Rec's switches of content, each as a row of an ablation: what is set, and on top of what."""

from typing import Any

WORDS = ("type", "text", "genres", "creators")
ADAPTER_RANK = 8
ALIGNMENT_WEIGHT = 0.1
ID_DROPOUT = 0.5

BASE = "id only"
STEPS: dict[str, dict[str, Any]] = {
    BASE: {},
    "+ type": {"content": ("type",)},
    "+ text": {"content": ("type", "text")},
    "+ adapters": {"content": ("type", "text"), "adapter_rank": ADAPTER_RANK},
    "+ alignment": {
        "content": ("type", "text"),
        "adapter_rank": ADAPTER_RANK,
        "alignment_weight": ALIGNMENT_WEIGHT,
    },
}
"""Each with all that comes before it."""

COLD = "all words, ids dropped"
ALONE: dict[str, dict[str, Any]] = {
    "genres, creators": {"content": ("type", "genres", "creators")},
    "all words": {"content": WORDS},
    COLD: {"content": WORDS, "id_dropout": ID_DROPOUT},
    "adapters alone": {"adapter_rank": ADAPTER_RANK},
    "alignment alone": {"alignment_weight": ALIGNMENT_WEIGHT},
    "within types": {"within_type_weight": 0.5},
    "negatives balanced": {"balance_negatives": 1.0},
    "sessions balanced": {"balance_sessions": 1.0},
}
"""Each by itself."""

VARIANTS = {**STEPS, **ALONE}
NEEDS_SAMPLES = ("negatives balanced",)
"""Rows that are the base where the softmax is over all items."""
