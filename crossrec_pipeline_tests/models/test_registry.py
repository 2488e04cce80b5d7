import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from crossrec_pipeline.atomic import remove_leftovers
from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.base import FitReport
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.models.registry import (
    Bundle,
    bundle_card,
    champion_path,
    find_bundle,
    latest_bundle,
    list_bundles,
    load_bundle,
    model_class,
    open_bundle,
    promote,
    prune_bundles,
    read_champion,
    read_promotions,
    rollback,
    save_bundle,
    verify_bundle,
)
from crossrec_pipeline.models.verdict import Condition, Verdict, write_verdict
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

NOON = datetime(2023, 6, 1, 12, tzinfo=UTC)
VOCABULARY = numbered_vocabulary(4)
TRAIN = SessionStore.from_sequences([[0, 1, 2], [0, 1, 3]])


def save(models_dir: Path, hour: int = 0, train: SessionStore = TRAIN) -> Bundle:
    model = Markov()
    report: FitReport = model.fit(train, VOCABULARY)
    return save_bundle(
        model,
        VOCABULARY,
        models_dir,
        inputs={"sessions/sequences": "abc"},
        summary=report.summary,
        created_at=NOON + timedelta(hours=hour),
    )


def test_loaded_bundle_scores_as_the_saved_model(tmp_path: Path) -> None:
    model = Markov(0.5)
    model.fit(TRAIN, VOCABULARY)
    bundle = save_bundle(model, VOCABULARY, tmp_path, inputs={})
    loaded = load_bundle(bundle.path)
    sessions = [np.array([item]) for item in range(4)]
    assert np.array_equal(loaded.model.score(sessions), model.score(sessions))
    assert loaded.vocabulary.frame.equals(VOCABULARY.frame)
    assert loaded.manifest == bundle.manifest


def test_bundle_is_five_files_under_kind_and_version(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    assert bundle.path == tmp_path / "markov" / bundle.version
    assert bundle.version == f"20230601T120000000000Z-{bundle.data_version[:8]}"
    assert sorted(path.name for path in bundle.path.iterdir()) == [
        "MODEL_CARD.md",
        "config.json",
        "manifest.json",
        "vocabulary.parquet",
        "weights.safetensors",
    ]
    assert list((tmp_path / "markov").iterdir()) == [bundle.path]


def test_manifest_says_where_the_model_came_from(tmp_path: Path) -> None:
    model = Popularity()
    model.fit(TRAIN, VOCABULARY)
    bundle = save_bundle(
        model,
        VOCABULARY,
        tmp_path,
        inputs={"sessions/sequences": "abc"},
        metrics={"recall_at_20": np.float64(0.25), "mrr_at_20": float("nan")},
        history=[{"epoch": 1, "loss": np.float32(2.5)}],
        summary={"best_epoch": 1},
        seeds={"training": 3},
        code_version="1.2",
        created_at=NOON,
    )
    manifest = json.loads((bundle.path / "manifest.json").read_text())
    assert manifest["inputs"] == {"sessions/sequences": "abc"}
    assert manifest["metrics"] == {"recall_at_20": 0.25, "mrr_at_20": None}
    assert manifest["training"] == {
        "summary": {"best_epoch": 1},
        "history": [{"epoch": 1, "loss": 2.5}],
    }
    assert manifest["seeds"] == {"training": 3}
    assert manifest["code_version"] == "1.2"
    assert manifest["created_at"] == "2023-06-01T12:00:00+00:00"
    assert manifest["packages"]["numpy"] == np.__version__
    assert manifest["vocabulary"]["items"] == 4
    assert manifest["parameters"] == 4
    assert set(manifest["files"]) == {"weights.safetensors", "config.json", "vocabulary.parquet"}


def test_card_beside_the_model_is_made_of_its_manifest(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    card = (bundle.path / "MODEL_CARD.md").read_text()
    assert card == bundle_card(bundle)
    assert card.startswith(f"# markov {bundle.version}\n")


def test_bundle_without_a_card_is_a_bundle(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    (bundle.path / "MODEL_CARD.md").unlink()
    assert verify_bundle(bundle.path) == bundle


def test_equal_models_have_equal_data_versions_whenever_they_are_saved(tmp_path: Path) -> None:
    one, other = save(tmp_path, hour=0), save(tmp_path, hour=1)
    assert one.data_version == other.data_version
    assert one.version != other.version


def test_other_weights_have_another_data_version(tmp_path: Path) -> None:
    one = save(tmp_path)
    other = save(tmp_path, train=SessionStore.from_sequences([[3, 2, 1, 0]]))
    assert one.data_version != other.data_version


def test_failure_while_saving_leaves_nothing(tmp_path: Path) -> None:
    class Failing(Markov):
        def config(self) -> dict[str, object]:
            raise ValueError("no digest")

    model = Failing()
    model.fit(TRAIN, VOCABULARY)
    with pytest.raises(ValueError, match="no digest"):
        save_bundle(model, VOCABULARY, tmp_path, inputs={})
    assert list((tmp_path / "markov").iterdir()) == []


def test_weights_of_a_killed_process_are_recognised_as_leftovers(tmp_path: Path) -> None:
    killed_while_saving = """
import os, signal, sys
from pathlib import Path
from typing import ClassVar
from crossrec_pipeline.models.registry import save_bundle
class Killed:
    kind = "markov"
    def save_weights(self, path):
        path.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
save_bundle(Killed(), None, Path(sys.argv[1]), inputs={})
"""
    subprocess.run([sys.executable, "-c", killed_while_saving, str(tmp_path)], check=False)
    assert len(list((tmp_path / "markov").iterdir())) == 1
    assert latest_bundle(tmp_path, "markov") is None
    remove_leftovers(tmp_path / "markov")
    assert list((tmp_path / "markov").iterdir()) == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json", "vocabulary.parquet"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [(truncate, "truncated"), (alter, "altered.*SHA-256"), (Path.unlink, "missing")],
)
def test_damaged_file_is_named(
    tmp_path: Path, name: str, damage: Callable[[Path], None], message: str
) -> None:
    bundle = save(tmp_path)
    damage(bundle.path / name)
    with pytest.raises(BundleError, match=f"{name}.*{message}.*train the model again"):
        load_bundle(bundle.path)


def test_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json is missing.*not a model bundle"):
        load_bundle(tmp_path)


def test_truncated_manifest_is_named(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    manifest = bundle.path / "manifest.json"
    manifest.write_text(manifest.read_text()[:100])
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        load_bundle(bundle.path)


def rewrite_manifest(bundle: Bundle, **changes: object) -> None:
    manifest = {**bundle.manifest, **changes}
    kept = {key: value for key, value in manifest.items() if value is not None}
    (bundle.path / "manifest.json").write_text(json.dumps(kept))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 99}, "format version 99.*reads 1"),
        ({"kind": "oracle"}, "'oracle'.*known kinds are association_rules, .*gru4rec"),
        ({"files": None}, "has no 'files'"),
        ({"files": {}}, "does not list weights.safetensors"),
        ({"files": {"weights.safetensors": 7}}, "no sizes and hashes"),
    ],
)
def test_manifest_that_cannot_be_followed_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    bundle = save(tmp_path)
    rewrite_manifest(bundle, **changes)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle.path)


def test_whole_bundle_of_other_code_is_refused_with_its_version(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    rewrite_manifest(bundle, kind="popularity", code_version="9.9")
    with pytest.raises(BundleError, match=r"cannot read it.*9\.9"):
        load_bundle(bundle.path)


def test_unknown_kind_is_not_saved(tmp_path: Path) -> None:
    class Oracle(Markov):
        kind: ClassVar[str] = "oracle"

    with pytest.raises(BundleError, match="'oracle'"):
        save_bundle(Oracle(), VOCABULARY, tmp_path, inputs={})


def test_class_of_a_kind_is_found() -> None:
    assert model_class("markov") is Markov
    with pytest.raises(BundleError, match="'oracle'"):
        model_class("oracle")


def test_latest_bundle_is_the_newest_of_its_kind(tmp_path: Path) -> None:
    assert latest_bundle(tmp_path, "markov") is None
    newer, older = save(tmp_path, hour=2), save(tmp_path, hour=1)
    assert latest_bundle(tmp_path, "markov") == newer
    assert list_bundles(tmp_path, "markov") == [older.path, newer.path]
    assert latest_bundle(tmp_path, "popularity") is None


def test_there_is_no_champion_before_the_first_promotion(tmp_path: Path) -> None:
    assert champion_path(tmp_path) is None
    assert read_champion(tmp_path) is None


def test_promoted_bundle_is_the_champion(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    champion = promote(tmp_path, bundle, reason="better than popularity")
    assert champion_path(tmp_path) == bundle.path
    assert read_champion(tmp_path) == champion
    assert champion.reason == "better than popularity"
    assert champion.version == bundle.version


def test_later_promotion_wins(tmp_path: Path) -> None:
    first, second = save(tmp_path, hour=0), save(tmp_path, hour=1)
    promote(tmp_path, first, reason="first")
    promote(tmp_path, second, reason="second")
    assert champion_path(tmp_path) == second.path


def test_promotions_at_once_leave_one_whole_champion(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda bundle: promote(tmp_path, bundle, reason="r" * 5_000), bundles * 5))
    assert champion_path(tmp_path) in [bundle.path for bundle in bundles]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "champion.json",
        "markov",
        "promotions.jsonl",
    ]
    assert len(read_promotions(tmp_path)) == 40


def test_two_processes_that_promote_at_once_leave_one_champion_and_both_lines(
    tmp_path: Path,
) -> None:
    one, other = save(tmp_path, hour=0), save(tmp_path, hour=1)
    promote_ten_times = """
import sys
from pathlib import Path
from crossrec_pipeline.models.registry import open_bundle, promote
bundle = open_bundle(Path(sys.argv[1]))
sys.stdin.read()
for _ in range(10):
    promote(bundle.path.parents[1], bundle, reason=bundle.version)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", promote_ten_times, str(bundle.path)], stdin=subprocess.PIPE
        )
        for bundle in (one, other)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.close()  # both wait for it, so that they begin together
    assert [process.wait() for process in processes] == [0, 0]
    promotions = read_promotions(tmp_path)
    assert sorted(promotion.reason for promotion in promotions) == sorted(
        [one.version, other.version] * 10
    )
    assert read_champion(tmp_path) == promotions[-1]
    # Each names the one before it as the champion it took over from.
    assert [promotion.previous for promotion in promotions[1:]] == [
        promotion.name for promotion in promotions[:-1]
    ]


def test_bundle_of_another_directory_is_not_promoted(tmp_path: Path) -> None:
    bundle = save(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=f"{bundle.version} is not a bundle of"):
        promote(tmp_path / "here", bundle, reason="")


def test_champion_that_is_gone_is_named(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    promote(tmp_path, bundle, reason="")
    bundle.path.rename(tmp_path / "moved")
    with pytest.raises(BundleError, match=f"{bundle.version}, which is gone"):
        champion_path(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "markov"}'])
def test_unreadable_champion_pointer_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "champion.json").write_text(content)
    with pytest.raises(BundleError, match=r"champion\.json"):
        champion_path(tmp_path)


def test_named_bundle_is_found(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    promote(tmp_path, bundle, reason="first")
    assert find_bundle(tmp_path, bundle.name) == bundle
    assert find_bundle(tmp_path, "champion") == bundle


def test_unknown_bundle_is_named_with_near_ones(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    with pytest.raises(BundleError, match=f"is not a bundle of .* Did you mean {bundle.name}"):
        find_bundle(tmp_path, bundle.name[:-1])
    with pytest.raises(BundleError, match="`crossrec models list` lists all"):
        find_bundle(tmp_path, "?")
    with pytest.raises(BundleError, match="There is no champion in"):
        find_bundle(tmp_path, "champion")


def test_rollback_serves_what_was_served_before(tmp_path: Path) -> None:
    first, second = save(tmp_path, hour=0), save(tmp_path, hour=1)
    promote(tmp_path, first, reason="first")
    promote(tmp_path, second, reason="second")
    champion = rollback(tmp_path, reason="complaints")
    assert champion_path(tmp_path) == first.path
    assert (champion.by, champion.reason) == ("rollback", "complaints")
    assert champion.previous == second.name


def test_second_rollback_goes_one_further(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(3)]
    for bundle in bundles:
        promote(tmp_path, bundle, reason="")
    assert rollback(tmp_path, reason="one").name == bundles[1].name
    assert rollback(tmp_path, reason="two").name == bundles[0].name
    with pytest.raises(BundleError, match=f"nothing to roll back to from {bundles[0].name}"):
        rollback(tmp_path, reason="three")
    assert champion_path(tmp_path) == bundles[0].path


def test_rollback_passes_over_damaged_bundles(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(3)]
    for bundle in bundles:
        promote(tmp_path, bundle, reason="")
    alter(bundles[1].path / "weights.safetensors")
    assert rollback(tmp_path, reason="").name == bundles[0].name


def test_rollback_before_the_first_promotion_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no champion in .* yet"):
        rollback(tmp_path, reason="")


def test_pruning_keeps_what_a_rollback_needs(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(5)]
    promote(tmp_path, bundles[0], reason="")
    promote(tmp_path, bundles[1], reason="")
    assert prune_bundles(tmp_path, "markov", keep=1) == [bundles[2].path, bundles[3].path]
    assert rollback(tmp_path, reason="").name == bundles[0].name


def test_pruning_keeps_the_newest_refused_bundles(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(7)]
    for bundle in bundles[:5]:
        failed = Condition("too large", 2.0, 1.0, False)
        verdict = Verdict(bundle.name, None, False, NOON.isoformat(), 0.1, (failed,))
        write_verdict(bundle.path, verdict)
    # Refused are 0 to 4, of which three stay; 6 is the newest.
    assert prune_bundles(tmp_path, "markov", keep=1) == [bundles[n].path for n in (0, 1, 5)]


def test_pruning_keeps_the_newest_and_the_champion(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(5)]
    promote(tmp_path, bundles[1], reason="")
    deleted = prune_bundles(tmp_path, "markov", keep=2)
    assert deleted == [bundles[0].path, bundles[2].path]
    assert list_bundles(tmp_path, "markov") == [bundles[n].path for n in (1, 3, 4)]
    assert not bundles[0].path.exists()


def test_pruning_that_is_killed_leaves_no_half_bundle(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(2)]
    killed_while_deleting = """
import os, shutil, signal, sys
from pathlib import Path
from crossrec_pipeline.models.registry import MANIFEST, prune_bundles
def killed(path):
    (path / MANIFEST).unlink()
    os.kill(os.getpid(), signal.SIGKILL)
shutil.rmtree = killed
prune_bundles(Path(sys.argv[1]), "markov", keep=1)
"""
    subprocess.run([sys.executable, "-c", killed_while_deleting, str(tmp_path)], check=False)
    assert list_bundles(tmp_path, "markov") == [bundles[1].path]
    newest = save(tmp_path, hour=2)
    assert sorted((tmp_path / "markov").iterdir()) == [bundles[1].path, newest.path]


def test_folder_without_a_manifest_is_no_bundle_and_is_left_alone(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(3)]
    (bundles[0].path / "manifest.json").unlink()
    assert prune_bundles(tmp_path, "markov", keep=1) == [bundles[1].path]
    assert latest_bundle(tmp_path, "markov") == bundles[2]
    assert bundles[0].path.exists()


def test_pruning_without_a_readable_champion_deletes_nothing(tmp_path: Path) -> None:
    bundles = [save(tmp_path, hour=hour) for hour in range(2)]
    (tmp_path / "champion.json").write_text("{")
    assert prune_bundles(tmp_path, "markov", keep=1) == []
    assert list_bundles(tmp_path, "markov") == [bundle.path for bundle in bundles]


def test_verified_bundle_is_the_opened_one(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    assert verify_bundle(bundle.path) == bundle
    truncate(bundle.path / "weights.safetensors")
    with pytest.raises(BundleError, match="truncated"):
        verify_bundle(bundle.path)


def test_pruning_deletes_nothing_when_few_are_there(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    assert prune_bundles(tmp_path, "markov", keep=2) == []
    assert bundle.path.exists()


def test_pruning_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="keep=0"):
        prune_bundles(tmp_path, "markov", keep=0)


def test_moved_bundle_loads(tmp_path: Path) -> None:
    bundle = save(tmp_path)
    moved = bundle.path.rename(tmp_path / "copied")
    assert load_bundle(moved).bundle.version == bundle.version
    assert open_bundle(moved).path == moved


def test_importing_the_registry_does_not_import_torch() -> None:
    code = (
        "import sys, crossrec_pipeline.models.registry; "
        "print(sorted({'torch', 'dagster'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
