"""Dagster's memory in a PostgreSQL database: the project's configuration, with another storage."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from crossrec_pipeline.defs.home import open_instance
from crossrec_pipeline.settings import project_root
from crossrec_pipeline_tests.growing_world import GrowingWorld, day, events_of
from crossrec_pipeline_tests.interactions.deliveries.postgres_server import (
    SUPERUSER_PASSWORD,
    find_binaries,
    running_server,
)

BINARIES = find_binaries()

pytestmark = [
    pytest.mark.skipif(BINARIES is None, reason="no PostgreSQL server (initdb, postgres) here"),
    pytest.mark.xdist_group("growing"),
]

STORAGE = """
storage:
  postgres:
    postgres_db:
      scheme: postgresql+psycopg2
      hostname: 127.0.0.1
      port: {port}
      username: postgres
      password:
        env: DAGSTER_PG_PASSWORD
      db_name: postgres
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    assert BINARIES is not None
    home = tmp_path_factory.mktemp("home")
    shutil.copy(project_root() / "dagster_home" / "dagster.yaml", home)
    with running_server(BINARIES) as port, pytest.MonkeyPatch.context() as patch:
        with (home / "dagster.yaml").open("a") as configuration:
            configuration.write(STORAGE.format(port=port))
        patch.setenv("DAGSTER_PG_PASSWORD", SUPERUSER_PASSWORD)
        with open_instance(home) as instance:
            yield instance


def test_a_growing_log_is_built_and_remembered_in_the_database(
    instance: dg.DagsterInstance, tmp_path: Path
):
    world = GrowingWorld(tmp_path, instance=instance)
    for n in (1, 2, 3):
        world.deliver(f"{day(n)}.csv", events_of(day(n)))
    ran = world.settle()
    assert world.failures == []
    assert "sessions/sequences" in ran
    assert not list(Path(instance.root_directory).glob("**/*.db"))

    world = GrowingWorld(tmp_path, instance=instance)
    assert world.settle() == set()
