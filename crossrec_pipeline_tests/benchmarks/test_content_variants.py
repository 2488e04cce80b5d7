import importlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crossrec_pipeline.models.gru4rec.config import preset

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def variants(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("content_variants")


def test_every_row_is_a_configuration_of_its_own(variants: Any):
    configs = [preset("default", **changes) for changes in variants.VARIANTS.values()]

    assert configs[0] == preset("default")
    assert len({config.model_dump_json() for config in configs}) == len(configs)
    assert len(variants.VARIANTS) == len(variants.STEPS) + len(variants.ALONE)


def test_each_step_has_all_that_comes_before_it(variants: Any):
    steps = list(variants.STEPS.values())

    for before, step in pairwise(steps):
        assert set(before.get("content", ())) <= set(step["content"])
        assert {**step, **before, "content": step["content"]} == step


def test_rows_that_are_named_are_there(variants: Any):
    assert next(iter(variants.VARIANTS)) == variants.BASE
    assert set(variants.NEEDS_SAMPLES) <= set(variants.VARIANTS)
    cold = variants.VARIANTS[variants.COLD]
    # What ranks unknown items must have learnt to go without an item's own vector.
    assert set(cold["content"]) == set(variants.WORDS)
    assert cold["id_dropout"] > 0
