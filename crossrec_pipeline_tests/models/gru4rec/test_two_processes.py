"""Two processes, started by torchrun, train one network: what equals what one process does."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.processes import Processes
from crossrec_pipeline_tests.models.gru4rec import shared_training as shared

PATIENCE_SECONDS = 120
ALONE = Processes()

# They wait for one another, and the fixture is made once a worker.
pytestmark = pytest.mark.xdist_group("two_processes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two_processes")


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what each of the two processes came to."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launch, "--nproc-per-node", "2", shared.__file__, str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1))
    return first, second


def _equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_weights_are_the_same_in_both_to_the_last_bit(both):
    first, second = both
    for job in ("whole", "full softmax", "event inputs", "resumed"):
        assert _equal(first[job]["weights"], second[job]["weights"]), job
        assert first[job]["history"] == second[job]["history"]
    assert all(_equal(first["steps"][name], second["steps"][name]) for name in first["steps"])


@pytest.mark.parametrize("sampled", [False, True], ids=["full", "all items sampled"])
@pytest.mark.parametrize("n_sessions", [4, 3, 1], ids=["equal", "unequal", "one has none"])
@pytest.mark.parametrize("name", shared.STEP_CONFIGS)
def test_step_equals_that_of_one_process_on_all_sessions(both, name, n_sessions, sampled):
    made = both[0]["steps"][f"{name}, {n_sessions}, {sampled}"]
    alone = shared.weights_after_a_step(shared.STEP_CONFIGS[name], ALONE, n_sessions, sampled=False)
    for parameter, weights in alone.items():
        torch.testing.assert_close(made[parameter], weights, rtol=0, atol=1e-5)


def test_loss_falls_as_with_one_process_of_the_same_total_batch(both):
    rows, alone = both[0]["full softmax"]["history"], shared.training(shared.FULL)["history"]
    losses, losses_alone = ([row["loss"] for row in history] for history in (rows, alone))
    # Lanes hold other sessions together, and dropout draws otherwise. Other seeds of one process
    # are up to .1 apart in an epoch's loss, and .04 in recall.
    assert losses == pytest.approx(losses_alone, abs=0.05)
    assert losses[-1] < losses[0] - 0.8
    assert rows[-1]["recall_at_20"] == pytest.approx(alone[-1]["recall_at_20"], abs=0.03)


def test_sampled_softmax_learns_as_well_as_with_one_process(both):
    recall, alone = (
        result["history"][-1]["recall_at_20"]
        for result in (both[0]["whole"], shared.training(shared.CONFIG))
    )
    assert recall == pytest.approx(alone, abs=0.04)


def test_no_prediction_is_lost_or_made_twice_where_shares_are_uneven(both):
    shares = [result["pairs"] for result in both]
    found = np.concatenate(shares, axis=1)
    expected = np.concatenate([np.stack([s[:-1], s[1:]]) for s in shared.UNEVEN], axis=1)
    np.testing.assert_array_equal(found[:, np.lexsort(found)], expected[:, np.lexsort(expected)])
    sizes = sorted(share.shape[1] for share in shares)
    assert sizes[0] > 0
    assert sizes[1] > 10 * sizes[0]


def test_each_draws_its_own_negatives_and_dropout(both):
    (negatives, mask), (other_negatives, other_mask) = (result["draws"] for result in both)
    assert negatives.tolist() != other_negatives.tolist()
    assert mask.tolist() != other_mask.tolist()


def test_of_a_table_of_items_only_touched_rows_are_sent(both):
    assert all(result["sent"] < 1_000 for result in both)


def test_none_moves_where_a_gradient_overflows_in_one(both):
    assert [result["moves after an overflow"] for result in both] == [0, 0]


def test_training_broken_off_in_either_process_comes_to_the_same_weights(both):
    resumed, whole = both[0]["resumed"], both[0]["whole"]
    assert _equal(resumed["weights"], whole["weights"])
    assert resumed["history"] == whole["history"]
    assert resumed["summary"]["resumed"] == 3
    assert resumed["summary"]["processes"] == 2
    assert [line for line in resumed["lines"] if line.startswith("going on")] == [
        "going on from epoch 1, 9 %",
        "going on from epoch 1, 100 %",
        "going on from epoch 2, 0 %",
    ]
    assert both[1]["resumed"]["lines"] == []


def test_checkpoint_of_two_processes_is_named_and_not_used_by_one(both, folder):
    lines: list[str] = []
    checkpoints = Checkpoints(folder / "left")
    shared.training(shared.CONFIG, checkpoints=checkpoints, progress=lines.append)
    assert lines[0] == (
        f"The checkpoint {checkpoints.path} is of another training (number of processes 2, now 1)."
        " Training starts anew."
    )


def test_checkpoint_that_one_cannot_read_is_used_by_none(both):
    assert both[0]["lost in one"][0] == (
        "Only 1 of 2 processes can read the checkpoint. Training starts anew."
    )


def test_loss_that_is_no_number_in_one_is_the_error_of_both(both):
    errors = [result["error of one"] for result in both]
    assert errors[0] == errors[1]
    assert "the loss is nan in epoch 1, step 1." in errors[0]
