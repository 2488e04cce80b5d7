"""All controls in one table; a run that was broken off, and one on other data."""

from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.evaluation.controls.run import CONTROLS_FILE, measure_controls
from crossrec_pipeline.evaluation.controls.table import CONTROLS, ControlsTable, read_controls
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline_tests.evaluation.controls.counted_models import (
    SEED,
    Training,
    cycle,
    dataset_of,
    main_model,
)

N_SEEDS = 2
N_TRAININGS = 4 + 2 + N_SEEDS
"""One a control, two of a single domain, and the other seeds."""


def measured(
    folder: Path, dataset: SessionDataset, training: Training, data_version: str = "v1"
) -> ControlsTable:
    main = main_model(dataset, training, data_version)
    return measure_controls(dataset, main, N_SEEDS, folder, lambda _: None)


def test_every_control_is_in_the_table_and_in_the_file(tmp_path: Path):
    dataset, training = cycle(), Training()
    table = measured(tmp_path, dataset, training)

    assert table.rows.schema == pl.Schema(CONTROLS)
    assert table.rows["control"].unique(maintain_order=True).to_list() == [
        "uniform_log",
        "shuffled_order",
        "last_item_only",
        "shuffled_domains",
        "single_domain",
        "other_seed_1",
        "other_seed_2",
    ]
    assert training.seeds == [SEED] * 6 + [SEED + 1, SEED + 2]
    found = read_controls(tmp_path / CONTROLS_FILE)
    assert found.rows.equals(table.rows)
    assert found.sessions_digest == dataset.digest
    assert (found.model_data_version, found.made_at) == ("v1", table.made_at)


def test_a_run_that_was_broken_off_goes_on_with_what_is_missing(tmp_path: Path):
    dataset, whole = cycle(), tmp_path / "whole"
    expected = measured(whole, dataset, Training())

    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        measured(broken, dataset, Training(breaks_at=3))
    assert not (broken / CONTROLS_FILE).exists()
    going_on = Training()
    table = measured(broken, dataset, going_on)

    assert len(going_on.seeds) == N_TRAININGS - 2
    assert table.rows.equals(expected.rows)


def test_what_is_measured_is_not_trained_again(tmp_path: Path):
    dataset, again = cycle(), Training()
    first = measured(tmp_path, dataset, Training())
    second = measured(tmp_path, dataset, again)
    assert again.seeds == []
    assert second.rows.equals(first.rows)


@pytest.mark.parametrize("what", ["model", "sessions"])
def test_another_model_or_other_sessions_begin_anew_and_leave_nothing_old(
    tmp_path: Path, what: str
):
    measured(tmp_path, cycle(), Training())
    before = set(tmp_path.rglob("*.parquet"))
    again = Training()
    if what == "model":
        table = measured(tmp_path, cycle(), again, "v2")
    else:
        table = measured(tmp_path, cycle(length=20), again)

    assert len(again.seeds) == N_TRAININGS
    after = set(tmp_path.rglob("*.parquet"))
    assert before & after == {tmp_path / CONTROLS_FILE}
    assert len(after) == len(before)
    assert read_controls(tmp_path / CONTROLS_FILE).rows.equals(table.rows)


def test_a_seed_less_is_a_file_less_and_trains_nothing(tmp_path: Path):
    dataset, again = cycle(), Training()
    measured(tmp_path, dataset, Training())
    main = main_model(dataset, again)
    table = measure_controls(dataset, main, N_SEEDS - 1, tmp_path, lambda _: None)
    assert again.seeds == []
    assert "other_seed_2" not in table.rows["control"]
    assert not list(tmp_path.rglob("other_seed_2*"))


def test_items_of_one_type_have_no_domains_to_tell_apart(tmp_path: Path):
    sessions, said = [[0, 1, 2], [2, 1, 0]] * 10, []
    dataset = dataset_of(["Movie"] * 3, sessions, sessions)
    table = measure_controls(dataset, main_model(dataset), 0, tmp_path, said.append)
    assert set(table.rows["control"]) == {"uniform_log", "shuffled_order", "last_item_only"}
    assert said[0] == "shuffled_domains and single_domain are left out: the items are of one type"


def test_each_control_says_what_it_came_to(tmp_path: Path):
    dataset, said = cycle(), []
    measure_controls(dataset, main_model(dataset), 0, tmp_path, said.append)
    at = said.index("last_item_only (3/5)")
    assert said[at + 1] == (
        "  overall: recall@20 1.0000, markov 1.0000 (difference +0.0000, 95 % +0.0000 to +0.0000)"
    )
