import numpy as np
import pytest
import torch

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec import processes, train
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.data_parallel import OwnShare
from crossrec_pipeline.models.gru4rec.processes import Processes, process_group
from crossrec_pipeline.models.gru4rec.shuffle import ShuffledNumbers
from crossrec_pipeline.sessions.store import SessionStore

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("n", [0, 1, 2, 10, 11])
def test_shares_of_an_order_are_every_nth_of_it_whatever_part_is_read(n):
    order = ShuffledNumbers(n, np.random.SeedSequence(0))
    for rank in range(3):
        share = OwnShare(order, Processes(rank, 3))
        assert share[:].tolist() == order[:][rank::3].tolist()
        assert len(share) == len(share[:])
        assert share[1:3].tolist() == share[:][1:3].tolist()
        assert share[2:100].tolist() == share[:][2:].tolist()


def test_parts_of_a_block_of_rows_are_disjoint_and_whole():
    parts = [list(range(20))[Processes(rank, 3).own_part(slice(4, 14))] for rank in range(3)]
    assert parts == [[4, 7, 10, 13], [5, 8, 11], [6, 9, 12]]


def test_a_process_that_is_alone_keeps_its_seed_and_several_have_different_ones():
    seed = np.random.SeedSequence(3).spawn(2)[1]
    drawn = {
        tuple(Processes(rank, count).own_seed(seed).generate_state(2).tolist())
        for rank, count in [(0, 1), (0, 2), (1, 2)]
    }
    assert len(drawn) == 3
    assert Processes().own_seed(seed) is seed


def test_lanes_that_cannot_be_shared_equally_are_refused(monkeypatch):
    monkeypatch.setattr(train, "current_processes", lambda: Processes(0, 3))
    store = SessionStore.from_sequences([[0, 1, 2]])
    with pytest.raises(TrainingError, match=r"3 processes .* batch_size=64 .* such as 63"):
        train.train_network(3, GRU4RecConfig(), store, None, CPU)
    with pytest.raises(TrainingError, match=r"3 processes .* batch_size=2 .* such as 3"):
        train.train_network(3, GRU4RecConfig(batch_size=2), store, None, CPU)


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group(CPU) as alone:
        assert alone == processes.current_processes() == Processes(0, 1)


def test_more_processes_than_devices_are_refused(monkeypatch):
    for name, value in {"WORLD_SIZE": 2, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(TrainingError, match=r"2 processes .* 1 CUDA devices.*--nproc-per-node 1"),
        process_group(CUDA),
    ):
        pass
