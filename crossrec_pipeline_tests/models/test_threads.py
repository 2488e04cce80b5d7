import pytest
import torch

from crossrec_pipeline.models.threads import one_thread


def test_torch_has_one_thread_for_a_while():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="broken off"), one_thread():
            raise ValueError("broken off")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_without_torch_nothing_is_set(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    monkeypatch.delitem(__import__("sys").modules, "torch")
    with one_thread():
        assert torch.get_num_threads() == before
