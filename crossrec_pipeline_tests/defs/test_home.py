from pathlib import Path

import pytest

from crossrec_pipeline.defs.home import open_instance, prepare_home
from crossrec_pipeline.errors import SettingsError


@pytest.mark.parametrize("home", ["", "dagster_home"])
def test_a_home_that_is_no_absolute_path_is_refused(monkeypatch: pytest.MonkeyPatch, home: str):
    monkeypatch.setenv("DAGSTER_HOME", home)
    with pytest.raises(SettingsError, match=r"DAGSTER_HOME is .*set it to the absolute path"):
        prepare_home()


def test_a_fresh_home_gets_the_configuration_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home = prepare_home()
    with open_instance(home) as instance:
        assert not instance.telemetry_enabled
        assert instance.get_settings("concurrency")["pools"]["default_limit"] == 1


def test_a_configuration_of_ones_own_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    prepare_home()
    assert (tmp_path / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
