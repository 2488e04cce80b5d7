import pytest

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.neighbours.sknn import SKNNConfig
from crossrec_pipeline.models.neighbours.stan import STANConfig
from crossrec_pipeline.models.neighbours.vsknn import VSKNNConfig


def test_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"VSKNNConfig.*idf=1.*options are k, sample, sim"):
        VSKNNConfig.model_validate({"idf": 1})


@pytest.mark.parametrize("option", ["k", "sample"])
def test_at_least_one_session_is_looked_at(option: str) -> None:
    with pytest.raises(SettingsError, match=f"{option}=0.*greater than or equal to 1"):
        SKNNConfig.model_validate({option: 0})
    assert SKNNConfig.model_validate({option: 1})


@pytest.mark.parametrize("option", ["place_scale", "age_scale", "distance_scale"])
def test_scale_of_a_decay_is_not_zero(option: str) -> None:
    with pytest.raises(SettingsError, match=f"{option}=0"):
        STANConfig.model_validate({option: 0})


def test_decay_that_never_falls_is_refused_as_a_bundle_cannot_hold_it() -> None:
    with pytest.raises(SettingsError, match="place_scale=inf"):
        STANConfig(place_scale=float("inf"))


@pytest.mark.parametrize("weight", [-0.1, float("inf"), float("nan")])
def test_weight_of_rarity_is_a_number_from_zero_on(weight: float) -> None:
    with pytest.raises(SettingsError, match="idf_weight"):
        VSKNNConfig(idf_weight=weight)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SettingsError, match=r"k=0.*sample='many'"):
        SKNNConfig.model_validate({"k": 0, "sample": "many"})
