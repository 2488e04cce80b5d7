"""The catalogue's assets where the settings change between builds."""

from pathlib import Path

import dagster as dg
import pytest

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import load_settings

PODCASTS = "crossrec_pipeline_tests.podcasts:PODCASTS"


@pytest.fixture
def podcasts(tmp_path: Path) -> Path:
    path = tmp_path / "podcasts.csv"
    rows = [f"Show {n},Host {n},talk,{n}00,2020-01-01" for n in range(1, 40)]
    path.write_text("\n".join(["show,hosts,topics,listeners,first_aired", *rows]) + "\n")
    return path


def types_published(folder: Path, podcasts: Path, *domains: str) -> set[str]:
    settings = load_settings(data_dir=folder, domains=domains, sources={"podcasts": str(podcasts)})
    job = dg.Definitions.merge(
        build_definitions(settings),
        dg.Definitions(
            jobs=[dg.define_asset_job("catalogue", dg.AssetSelection.groups("catalogue"))]
        ),
    ).resolve_job_def("catalogue")
    assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral()).success
    items = Warehouse(path=str(settings.warehouse_path)).read("catalogue.items")
    return set(items["item_type"])


def test_a_domain_can_be_added_and_taken_out_again(tmp_path: Path, podcasts: Path):
    folder = tmp_path / "data"
    assert types_published(folder, podcasts, "books") == {"Book"}
    assert types_published(folder, podcasts, "books", PODCASTS) == {"Book", "Podcast"}
    # The ledger still knows the podcasts' ids: they are the same if the domain comes back.
    assert types_published(folder, podcasts, "books") == {"Book"}
    assert types_published(folder, podcasts, PODCASTS) == {"Podcast"}
