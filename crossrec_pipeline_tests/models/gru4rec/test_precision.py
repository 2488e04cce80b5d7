import pytest
import torch

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec.precision import Float16, OnePrecision, precision_on

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_mixed_precision_is_refused_on_the_cpu_with_a_remedy(name):
    with pytest.raises(TrainingError, match=f"precision='{name}' needs a CUDA.*Take precision="):
        precision_on(CPU, name)


def test_one_precision_is_the_rule_everywhere():
    assert isinstance(precision_on(CPU, "float32"), OnePrecision)
    assert isinstance(precision_on(torch.device("cuda"), "float32"), OnePrecision)


def test_scaled_gradients_are_those_of_the_loss():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    gradients = Float16("cuda").gradients((x * x).sum(), [x])
    assert gradients is not None
    torch.testing.assert_close(gradients[0], torch.tensor([2.0, 4.0]))


def test_step_whose_gradients_overflow_is_left_out_and_the_scale_halved():
    precision = Float16("cuda")
    x = torch.tensor(1.0, requires_grad=True)
    before = precision.scale
    assert precision.gradients(x * 1e38, [x]) is None
    assert precision.scale == before / 2


def test_scale_grows_after_many_good_steps_and_goes_on_from_its_state(monkeypatch):
    monkeypatch.setattr(Float16, "STEPS_BEFORE_GROWTH", 3)
    precision, taken_up = Float16("cuda"), Float16("cuda")
    x = torch.tensor(1.0, requires_grad=True)
    for _ in range(2):
        precision.gradients(x * 2, [x])
    taken_up.load_state(precision.state())
    taken_up.gradients(x * 2, [x])
    assert taken_up.scale == 2 * precision.scale
