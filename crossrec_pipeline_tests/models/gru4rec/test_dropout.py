import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.dropout import dropout, kept

every_kind = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@every_kind
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_about_the_share_is_dropped_and_the_mean_stays(dtype, share):
    torch.manual_seed(0)
    factors = kept(torch.empty(2000, 3, dtype=dtype), 50, share)
    assert factors.shape == (2000, 50)
    assert factors.dtype == dtype
    assert factors.unique().tolist() == pytest.approx([0, 1 / (1 - share)])
    error = 4 * np.sqrt(share * (1 - share) / factors.numel())
    assert (factors == 0).double().mean().item() == pytest.approx(share, abs=error)


def test_cells_are_dropped_independently():
    torch.manual_seed(0)
    dropped = (kept(torch.empty(4000, 1), 8, 0.5) == 0).double()
    next_dropped = (kept(torch.empty(4000, 1), 8, 0.5) == 0).double()
    both = torch.cat([dropped, next_dropped, dropped.roll(1, 0)], dim=1)
    correlations = torch.corrcoef(both.t()) - torch.eye(24)
    assert correlations.abs().max() < 4.5 / np.sqrt(4000)


@every_kind
def test_draws_follow_from_torchs_generator(dtype):
    like = torch.empty(9, 4, dtype=dtype)
    torch.manual_seed(3)
    first, second = kept(like, 4, 0.5), kept(like, 4, 0.5)
    torch.manual_seed(3)
    assert torch.equal(kept(like, 4, 0.5), first)
    assert not torch.equal(first, second)


def test_nothing_is_drawn_for_a_share_of_zero():
    cells = torch.ones(2, 2)
    state = torch.get_rng_state()
    assert dropout(cells, 0.0) is cells
    assert torch.equal(torch.get_rng_state(), state)
