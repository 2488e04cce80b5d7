import subprocess
import sys

import pytest
from pydantic import ValidationError

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.gru4rec.config import PRESETS, GRU4RecConfig, preset


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_are_valid_and_survive_json(name):
    config = preset(name)
    assert GRU4RecConfig.model_validate_json(config.model_dump_json()) == config


def test_classic_preset_is_untied_with_the_full_softmax():
    config = preset("classic")
    assert (config.embedding, config.embedding_dim, config.hidden_size) == ("separate", 128, 256)
    assert config.n_negatives is None
    assert (config.batch_size, config.epochs, config.patience) == (64, 100, 5)


def test_overrides_win_over_the_preset():
    config = preset("classic", epochs=3, seed=9)
    assert (config.epochs, config.seed, config.hidden_size) == (3, 9, 256)


def test_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match=r"no GRU4Rec preset 'fast'.*default, classic, paper"):
        preset("fast")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("dropout_hidden", 1.0),
        ("dropout_embedding", -0.1),
        ("alpha", 1.5),
        ("n_negatives", -1),
        ("momentum", 1.0),
        ("logq", 1.1),
        ("elu_alpha", -0.5),
        ("bpr_regularisation", -1.0),
        ("max_gradient_norm", 0.0),
        ("loss", "top1"),
        ("precision", "int8"),
        ("batch_size", 0),
        ("optimiser", "sgd"),
        ("learning_rte", 0.1),
    ],
)
def test_impossible_value_is_refused_by_name(field, value):
    with pytest.raises(SettingsError, match=rf"{field}={value!r}"):
        preset("default", **{field: value})


def test_separate_embedding_needs_a_width():
    with pytest.raises(SettingsError, match="embedding_dim"):
        preset("default", embedding="separate")


def test_constrained_embedding_cannot_have_another_width():
    with pytest.raises(SettingsError, match="hidden_size 192, not of embedding_dim 64"):
        preset("default", embedding_dim=64)


def test_one_hot_input_has_no_width_of_its_own():
    assert preset("default", embedding="none", hidden_size=10).input_width == 30
    with pytest.raises(SettingsError, match="no input vectors, of embedding_dim 64"):
        preset("default", embedding="none", embedding_dim=64)


def test_momentum_is_adagrads_alone():
    assert preset("default", momentum=0.3, optimiser="adagrad").momentum == 0.3
    with pytest.raises(SettingsError, match=r"momentum 0\.3 is Adagrad's"):
        preset("default", momentum=0.3)


def test_mixed_precision_on_the_cpu_is_refused():
    with pytest.raises(SettingsError, match="bfloat16' needs a CUDA device"):
        preset("default", precision="bfloat16", device="cpu")


def test_configuration_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        preset("default").epochs = 2  # type: ignore[misc]


def test_configuration_is_read_without_importing_torch():
    code = (
        "import sys; from crossrec_pipeline.models.gru4rec.config import preset; "
        "preset('default'); print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "False", result.stderr
