"""The container files, as far as they can be tried without a container.

The commands are those of the files. They run in a folder that holds what the image holds, with the
package apart from its checkout, as when it is installed.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from crossrec_pipeline.settings import load_settings, project_root, unknown_variables

ROOT = project_root()
PATIENCE_SECONDS = 120.0
BIN = Path(sys.executable).parent
PROBE = """
import crossrec_pipeline.settings as s
print(s.__file__, s.project_root(), s.load_settings().sample_dir, sep="\\n")
"""


def instructions() -> list[tuple[str, str]]:
    """Read the Dockerfile: the name of each instruction, and what follows it."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = (line.partition(" ") for line in joined.split("\n") if line)
    return [(name, rest.strip()) for name, _, rest in lines]


INSTRUCTIONS = instructions()
FINAL = INSTRUCTIONS[max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def last(name: str) -> str:
    """Return what the last instruction of a name says, in the image that is kept."""
    return [rest for found, rest in FINAL if found == name][-1]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in last("ENV").split())


def copied(stage: list[tuple[str, str]]) -> list[str]:
    """List what is copied out of the repository."""
    lines = [rest.split() for name, rest in stage if name == "COPY" and "--from" not in rest]
    return [source for *sources, _ in lines for source in sources]


# What the files say


def test_everything_that_is_copied_lies_in_the_repository_and_is_not_ignored():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    for source in copied(INSTRUCTIONS):
        path = source.rstrip("/")
        assert (ROOT / path).exists(), source
        assert any(path == kept or path.startswith(f"{kept}/") for kept in let_in), source
    kept_out = [line for line in lines if not line.startswith(("!", "#"))]
    assert kept_out[0] == "*"
    assert {"web/node_modules", "crossrec_pipeline/serving/page"} <= set(kept_out)


def test_it_runs_as_a_user_with_a_number_who_owns_the_volumes():
    user, group = last("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0
    (made,) = (rest for name, rest in FINAL if name == "RUN")
    assert f"--uid {user} " in made
    assert f"--gid {group} " in made
    volumes = json.loads(last("VOLUME"))
    assert f"install -d -o crossrec -g crossrec {' '.join(volumes)}" in made
    mounted = [volume.split(":")[1] for volume in COMPOSE["x-crossrec"]["volumes"]]
    assert mounted == volumes


def test_what_is_written_lies_in_the_volumes():
    environment = image_environment()
    assert unknown_variables(environment) == []
    volumes = json.loads(last("VOLUME"))
    for name in ("CROSSREC_DATA_DIR", "DAGSTER_HOME", "NUMBA_CACHE_DIR", "HF_HOME"):
        assert any(Path(environment[name]).is_relative_to(volume) for volume in volumes), name


def test_every_service_is_of_the_image_and_can_write_nothing_else():
    version = COMPOSE["x-crossrec"]["image"].partition(":")[2]
    assert f'org.opencontainers.image.version="{version}"' in last("LABEL")
    for name, service in SERVICES.items():
        assert service["image"] == COMPOSE["x-crossrec"]["image"], name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["tmpfs"] == ["/tmp"], name
    assert [name for name, service in SERVICES.items() if "build" in service] == ["home"]


def test_ports_are_those_of_the_settings_and_of_this_machine_alone():
    port = load_settings(serving={}).serving.port
    assert SERVICES["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert SERVICES["api"]["command"] == json.loads(last("CMD"))
    assert json.loads(last("CMD"))[-1] == str(port)
    assert f"127.0.0.1:{port}/healthz" in last("HEALTHCHECK")
    exposed = last("EXPOSE").split()
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert sorted(published) == sorted(f"127.0.0.1:{port}:{port}" for port in exposed)


def test_web_server_daemon_and_service_wait_for_the_home():
    waiting = {name for name, service in SERVICES.items() if "depends_on" in service}
    assert waiting == set(SERVICES) - {"home"}
    for name in waiting:
        assert SERVICES[name]["depends_on"] == {
            "home": {"condition": "service_completed_successfully"}
        }


# What they do


class Image:
    """A folder as the image's, and the environment of its processes."""

    def __init__(self, folder: Path) -> None:
        self.app, self.packages = folder / "app", folder / "packages"
        self.app.mkdir()
        for source in copied(FINAL):
            target = self.app / source
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, target)
        shutil.copytree(ROOT / "crossrec_pipeline", self.packages / "crossrec_pipeline")
        volumes = {volume: folder / volume.strip("/") for volume in json.loads(last("VOLUME"))}
        for path in volumes.values():
            path.mkdir()
        given = image_environment()
        del given["PATH"]
        for name, value in given.items():
            for volume, path in volumes.items():
                if Path(value).is_relative_to(volume):
                    given[name] = str(path / Path(value).relative_to(volume))
        self.home = Path(given["DAGSTER_HOME"])
        outside = {name: value for name, value in os.environ.items() if "CROSSREC" not in name}
        self.environment = {**outside, **given, "PYTHONPATH": str(self.packages)}
        self.environment["PATH"] = f"{BIN}:{os.environ['PATH']}"

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.app,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def healthy(self, test: list[str]) -> bool:
        assert test[0] == "CMD"
        return self.run(test[1:]).returncode == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("image"))


@pytest.fixture
def started(image: Image, tmp_path: Path) -> Iterator[Callable[[list[str]], Path]]:
    """Start a command, and stop it at the end; what it prints is kept."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(command: list[str]) -> Path:
        output = tmp_path / "output.txt"
        with output.open("wb") as file:
            processes.append(
                subprocess.Popen(
                    command, cwd=image.app, env=image.environment, stdout=file, stderr=file
                )
            )
        return output

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(PATIENCE_SECONDS)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


def with_port(words: list[str], port: str, another: str) -> list[str]:
    return [word.replace(port, another) for word in words]


def wait_until(holds: Callable[[], bool], output: Path) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up, output.read_text()[-3000:]
        time.sleep(0.5)


def test_the_installed_package_finds_what_lies_beside_it(image: Image):
    found = image.run(["python", "-c", PROBE]).stdout.split()
    package, root, sample = map(Path, found)
    assert package.is_relative_to(image.packages)
    assert root == image.app
    assert sorted(path.name for path in sample.glob("*.csv")) == [
        "books.csv",
        "movies.csv",
        "music.csv",
    ]


def test_the_home_is_set_up_with_the_projects_configuration(image: Image):
    done = image.run(SERVICES["home"]["command"])
    assert done.returncode == 0, done.stderr
    assert (image.home / "dagster.yaml").read_text() == (
        ROOT / "dagster_home" / "dagster.yaml"
    ).read_text()
    assert (image.home / "history" / "runs.db").exists()
    # Once more, as at every start.
    assert image.run(SERVICES["home"]["command"]).returncode == 0


def test_the_service_is_healthy_before_there_is_a_model(
    image: Image, started: Callable[[list[str]], Path]
):
    words = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    port = free_port()
    check = with_port(["CMD", *words], "8000", port)
    assert not image.healthy(check)
    output = started(with_port(SERVICES["api"]["command"], "8000", port))
    wait_until(lambda: image.healthy(check), output)
    assert "there is no champion" in output.read_text()


@pytest.mark.daemon
@pytest.mark.xdist_group("daemon")
def test_web_server_and_daemon_start_on_one_home_and_are_healthy(
    image: Image, started: Callable[[list[str]], Path]
):
    image.run(SERVICES["home"]["command"])
    # What the daemon asks for stays in the queue.
    configuration = image.home / "dagster.yaml"
    text = configuration.read_text()
    configuration.write_text(text.replace("max_concurrent_runs: 2", "max_concurrent_runs: 0"))
    assert configuration.read_text() != text
    port = free_port()
    webserver = with_port(SERVICES["webserver"]["healthcheck"]["test"], "3000", port)
    daemon = SERVICES["daemon"]["healthcheck"]["test"]
    assert not image.healthy(webserver)
    assert not image.healthy(daemon)
    output = started(with_port(SERVICES["webserver"]["command"], "3000", port))
    wait_until(lambda: image.healthy(webserver), output)
    output = started(SERVICES["daemon"]["command"])
    wait_until(lambda: image.healthy(daemon), output)
    with dg.DagsterInstance.from_config(str(image.home)) as instance:
        assert instance.get_daemon_statuses()
