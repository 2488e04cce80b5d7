"""What a service without batching or a kernel of its own does: one request at a time, in float32.

Started by `serving.py` as the other side of its comparison; the bundle is named by BUNDLE.
"""

import os
from pathlib import Path

import torch
from fastapi import FastAPI
from pydantic import BaseModel

from crossrec_pipeline.models.registry import load_bundle

torch.set_num_threads(1)
_loaded = load_bundle(Path(os.environ["BUNDLE"]))
_items = _loaded.vocabulary.frame.select("item_id", "item_type", "title").to_dicts()
app = FastAPI()


class Request(BaseModel):
    """A session."""

    session: list[str]
    top_k: int


class Item(BaseModel):
    """A recommended item."""

    item_id: str
    item_type: str
    title: str
    score: float


class Answer(BaseModel):
    """Recommended items, best first."""

    items: list[Item]


@app.post("/v1/recommendations")
async def recommend(request: Request) -> Answer:
    """Score all items, take the best."""
    scores = _loaded.model.score([_loaded.vocabulary.encode(request.session)])
    best = torch.from_numpy(scores[0]).topk(request.top_k)
    rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return Answer(items=[Item(**_items[index], score=score) for index, score in rows])


@app.get("/readyz")
async def ready() -> str:
    """Say that the bundle is loaded."""
    return "ready"
