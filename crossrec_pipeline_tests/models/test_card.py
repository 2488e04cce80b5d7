import re

import pytest

from crossrec_pipeline.models.card import model_card

MANIFEST = {
    "format_version": 1,
    "kind": "gru4rec",
    "version": "20230601T120000000000Z-0123abcd",
    "data_version": "0123abcd4567",
    "created_at": "2023-06-01T12:00:00+00:00",
    "code_version": "1.2",
    "inputs": {"sessions/sequences": "5e55"},
    "seeds": {"training": 3},
    "packages": {"python": "3.11.7", "torch": "2.13.0", "polars": None},
    "vocabulary": {"items": 1545, "digest": "70ca"},
    "parameters": 519_417,
    "metrics": {"recall_at_20": 0.25, "mrr_at_20": None},
    "training": {
        "summary": {"best_epoch": 2, "seconds": 30.5, "device": "cpu"},
        "history": [
            {"epoch": 1, "loss": 5.25, "events_per_second": 10_000.0, "recall_at_20": 0.31},
            {"epoch": 2, "loss": 4.8712345, "events_per_second": 40_000.0, "recall_at_20": 0.33},
        ],
    },
    "files": {
        "weights.safetensors": {"sha256": "ab" * 32, "bytes": 2_000_000},
        "config.json": {"sha256": "cd" * 32, "bytes": 500},
    },
}
CONFIG = {"hidden_size": 192, "skip_connection": True, "init_range": None, "learning_rate": 0.003}


@pytest.mark.parametrize(
    "row",
    [
        "| Made | 2023-06-01 12:00:00 UTC |",
        "| Content | 0123abcd4567 |",
        "| Code | 1.2 |",
        "| Items | 1,545 |",
        "| Parameters | 519,417 |",
        "| Size | 2,000,500 bytes |",
        "| Speed | 16,000 events/s |",
        "| sessions/sequences | 5e55 |",
        "| vocabulary | 70ca |",
        "| training | 3 |",
        "| hidden_size | 192 |",
        "| skip_connection | yes |",
        "| init_range | – |",
        "| learning_rate | 0.003 |",
        "| epoch | loss | events per second | recall at 20 |  |",
        "| 1 | 5.25 | 10,000 | 0.31 |  |",
        "| 2 | 4.871 | 40,000 | 0.33 | best |",
        "| seconds | 30.5 |",
        "| recall_at_20 | 0.25 |",
        "| mrr_at_20 | – |",
        "| polars | – |",
        f"| config.json | 500 | `{'cd' * 32}` |",
    ],
)
def test_card_says(row):
    assert row in model_card(MANIFEST, CONFIG).splitlines()


def test_card_names_use_and_limits_and_the_papers():
    card = model_card(MANIFEST, CONFIG)
    for words in ("## Intended use", "## Limits", "simulated", "arXiv:1706.03847"):
        assert words in card


def test_every_table_has_rows_of_one_width():
    for table in re.findall(r"(?:^\|.*\n)+", model_card(MANIFEST, CONFIG), re.MULTILINE):
        lines = table.splitlines()
        assert len({line.count("|") for line in lines}) == 1, table
        assert len(lines) > 2, table


def test_what_a_manifest_lacks_is_left_out():
    known = ("kind", "version", "data_version", "created_at", "files", "training")
    bare = {name: MANIFEST[name] for name in known} | {"training": {}, "files": {}}
    card = model_card(bare, {})
    assert "| Parameters | – |" in card
    for title in ("Seeds", "Configuration", "Training by epoch", "Evaluation", "Software", "Files"):
        assert f"## {title}" not in card
    assert "Speed" not in card


def test_a_pipe_or_a_line_break_in_a_value_does_not_break_the_table():
    card = model_card(MANIFEST, {"note": "a|b\nc"})
    assert "| note | a\\|b c |" in card
