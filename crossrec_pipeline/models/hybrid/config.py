"""Options of the hybrid."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class HybridConfig(BaseModel):
    """How members are put together. Weights and trees are learnt from validation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_best: Annotated[int, Field(gt=0)] = 200
    """Items that are taken of each member's list."""
    n_reranked: Annotated[int, Field(gt=0)] = 100
    """Items, the best of the blend, that are ranked again."""
    n_trees: Annotated[int, Field(ge=0)] = 80
    """Trees of the re-ranker; 0 leaves the blend as it is."""
    max_predictions: Annotated[int, Field(gt=0)] = 20_000
    """Predictions of validation that weights and trees are learnt from, drawn by session."""
    seed: int = 0
