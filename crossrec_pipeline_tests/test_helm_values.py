"""What the values for Dagster's chart say is true of the project."""

import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_START_TAG

from crossrec_pipeline.settings import project_root, unknown_variables
from crossrec_pipeline_tests.helm_files import FOLDER, code_location, read_documents, read_values

PATIENCE_SECONDS = 120.0
BIN = Path(sys.executable).parent
VALUES = read_values()
LAUNCHER: dict[str, Any] = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
ROOT = project_root()
HOME: dict[str, Any] = yaml.safe_load((ROOT / "dagster_home" / "dagster.yaml").read_text())


def in_project(path: str) -> str:
    """Read a file of the repository."""
    return (ROOT / path).read_text()


def names_in(value: Any) -> Iterator[str]:
    """List all keys, at any depth."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield str(name)
            yield from names_in(below)
    elif isinstance(value, list):
        for below in value:
            yield from names_in(below)


def bytes_of(amount: str) -> int:
    """Read an amount of memory: ``512Mi`` is 512 * 1024 ** 2."""
    return int(amount[:-2]) * 1024 ** ("Ki", "Mi", "Gi").index(amount[-2:]) * 1024


def test_a_key_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("a:\n  b: 1\n  c: 2\n  b: 3\n")
    with pytest.raises(yaml.YAMLError, match="there twice: b"):
        read_documents(path)


def test_the_module_of_the_code_location_has_the_definitions() -> None:
    option, module = code_location()["dagsterApiGrpcArgs"]
    assert option == "-m"
    assert hasattr(import_module(module), "defs")


def test_every_variable_of_ours_is_a_setting() -> None:
    assert unknown_variables(code_location()["env"]) == []


def test_settings_are_texts_as_a_config_map_wants_them() -> None:
    assert {type(value) for value in code_location()["env"].values()} == {str}


def test_the_data_directory_and_all_that_the_image_writes_are_mounted() -> None:
    mounted = {mount["mountPath"]: mount["name"] for mount in code_location()["volumeMounts"]}
    # /dagster_home is an empty folder of the image: the home on a cluster is in the database.
    assert set(mounted) == {"/data", "/cache", "/tmp"}
    assert code_location()["env"]["CROSSREC_DATA_DIR"] == "/data"
    assert LAUNCHER["volumeMounts"] == code_location()["volumeMounts"]
    for holder in (code_location(), LAUNCHER):
        assert [volume["name"] for volume in holder["volumes"]] == list(mounted.values())
        assert all("emptyDir" in volume for volume in holder["volumes"])


def test_containers_are_of_the_images_user_and_write_to_no_root() -> None:
    dockerfile = in_project("Dockerfile")
    pods = (code_location()["podSecurityContext"], LAUNCHER["runK8sConfig"]["podSpecConfig"])
    for pod in (pods[0], pods[1]["securityContext"]):
        assert pod["runAsNonRoot"] is True
        assert f"USER {pod['runAsUser']}:{pod['runAsGroup']}\n" in dockerfile
        assert pod["fsGroup"] == pod["runAsGroup"]
    for container in (code_location()["securityContext"], LAUNCHER["securityContext"]):
        assert container["readOnlyRootFilesystem"] is True
        assert container["allowPrivilegeEscalation"] is False
        assert container["capabilities"] == {"drop": ["ALL"]}


def test_replicas_are_of_one_image_that_does_not_move() -> None:
    image = code_location()["image"]
    assert code_location()["replicaCount"] > 1
    # The servers of `dagster code-server` each have an id, and so may not be several.
    assert "codeServerArgs" not in code_location()
    dockerfile = in_project("Dockerfile")
    assert f'org.opencontainers.image.version="{image["tag"]}"' in dockerfile
    assert image["pullPolicy"] == "IfNotPresent"


def test_runs_do_not_inherit_the_small_resources_of_a_server() -> None:
    assert code_location()["includeConfigInLaunchedRuns"] == {"enabled": False}
    server, run = code_location()["resources"], LAUNCHER["resources"]
    for kind in ("requests", "limits"):
        assert bytes_of(run[kind]["memory"]) > 2 * bytes_of(server[kind]["memory"])


def test_runs_read_settings_and_secrets_of_the_code_location() -> None:
    assert LAUNCHER["envSecrets"] == code_location()["envSecrets"]
    # The chart's name for the settings of a deployment, in a release called `dagster`.
    name = f"dagster-dagster-user-deployments-{code_location()['name']}-user-env"
    assert LAUNCHER["envConfigMaps"] == [{"name": name}]


def test_limits_on_runs_at_once_are_those_of_the_projects_home() -> None:
    runs, pools = VALUES["concurrency"]["runs"], VALUES["concurrency"]["pools"]
    assert VALUES["concurrency"]["enabled"]
    assert {"max_concurrent_runs": runs["maxConcurrentRuns"]} == HOME["concurrency"]["runs"]
    assert {
        "granularity": pools["granularity"],
        "default_limit": pools["defaultLimit"],
    } == HOME["concurrency"]["pools"]
    assert VALUES["telemetry"] == HOME["telemetry"]
    assert VALUES["additionalInstanceConfig"]["nux"] == HOME["nux"]


def test_days_of_a_growing_log_are_built_by_one_run_at_a_time() -> None:
    (limit,) = VALUES["concurrency"]["runs"]["tagConcurrencyLimits"]
    assert limit == {"key": ASSET_PARTITION_RANGE_START_TAG, "limit": 1}


def test_a_run_whose_pod_was_lost_is_retried_and_one_that_was_refused_is_not() -> None:
    monitoring, retries = (
        VALUES["dagsterDaemon"]["runMonitoring"],
        VALUES["dagsterDaemon"]["runRetries"],
    )
    assert monitoring["enabled"]
    freed = HOME["run_monitoring"]["free_slots_after_run_end_seconds"]
    assert monitoring["freeSlotsAfterRunEndSeconds"] == freed
    assert retries["enabled"]
    assert retries["maxRetries"] >= HOME["run_retries"]["max_retries"]
    assert retries["retryOnAssetOrOpFailure"] is False


def test_no_secret_is_in_the_values() -> None:
    assert VALUES["generatePostgresqlPasswordSecret"] is False
    assert VALUES["postgresql"]["enabled"] is False
    names = [name.lower() for name in names_in(VALUES)]
    assert [name for name in names if "password" in name] == ["generatepostgresqlpasswordsecret"]
    telling = ("key", "keys", "token", "secret")
    assert [name for name in code_location()["env"] if name.lower().endswith(telling)] == []


# What the page about them says


def test_the_chart_that_is_installed_is_of_the_pinned_dagster() -> None:
    (pinned,) = re.findall(r"^dagster==(.+)$", in_project("constraints.txt"), re.MULTILINE)
    assert set(re.findall(r"--version (\d\S*)", in_project("docs/kubernetes.md"))) == {pinned}


def test_the_image_is_built_with_extras_of_the_package() -> None:
    (named,) = re.findall(r"EXTRAS=(\S+)", in_project("docs/kubernetes.md"))
    extras = tomllib.loads(in_project("pyproject.toml"))["project"]["optional-dependencies"]
    # pip would leave out one that there is not, with a warning.
    assert set(named.split(",")) <= set(extras)
    assert '".${EXTRAS:+[$EXTRAS]}"' in in_project("Dockerfile")


# What the code location does


@pytest.fixture
def code_server(tmp_path: Path) -> Iterator[str]:
    """Start the server of the code location as the chart does, and return its port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    outside = {name: value for name, value in os.environ.items() if "CROSSREC" not in name}
    ours = {**code_location()["env"], "CROSSREC_DATA_DIR": str(tmp_path / "data")}
    output = tmp_path / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [
                *(str(BIN / "dagster"), "api", "grpc", "-h", "127.0.0.1", "-p", port),
                *("--fixed-server-id", "one", *code_location()["dagsterApiGrpcArgs"]),
            ],
            # The chart names a home that a code location neither has nor needs.
            env={**outside, **ours, "DAGSTER_HOME": str(tmp_path / "no_home")},
            cwd=tmp_path,
            stdout=file,
            stderr=file,
        )
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not is_healthy(port):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < give_up, output.read_text()
    yield port
    process.terminate()
    process.wait(PATIENCE_SECONDS)


def is_healthy(port: str) -> bool:
    """Ask as the chart's probes do."""
    check = [str(BIN / "dagster"), "api", "grpc-health-check", "-p", port]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def test_the_code_location_starts_without_home_and_store_and_writes_nothing(
    code_server: str, tmp_path: Path
) -> None:
    assert is_healthy(code_server)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["output.txt"]


def test_the_tags_of_a_gpu_run_ask_for_one_with_more_memory() -> None:
    (tags,) = read_documents(FOLDER / "gpu-run-tags.json")
    resources = tags["dagster-k8s/config"]["container_config"]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == "1"
    for kind in ("requests", "limits"):
        assert bytes_of(resources[kind]["memory"]) > bytes_of(LAUNCHER["resources"][kind]["memory"])
