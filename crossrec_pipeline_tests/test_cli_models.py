"""The commands on a models folder of their own; those that follow a run are in test_champion.py."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crossrec_pipeline import cli
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.models.promotions import read_champion, read_promotions
from crossrec_pipeline.models.registry import Bundle, promote, save_bundle
from crossrec_pipeline.models.verdict import Condition, Verdict, write_verdict
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

NOON = datetime(2023, 6, 1, 12, tzinfo=UTC)
TRAIN = SessionStore.from_sequences([[0, 1, 2], [0, 1, 3]])


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSREC_DATA_DIR", str(tmp_path))
    return tmp_path / "models"


@pytest.fixture
def bundles(models_dir: Path) -> list[Bundle]:
    """Two bundles, of noon and of one o'clock; the first is the champion."""
    model = Popularity()
    model.fit(TRAIN, numbered_vocabulary(4))
    times = [NOON, NOON + timedelta(hours=1)]
    saved = [
        save_bundle(model, numbered_vocabulary(4), models_dir, inputs={}, created_at=time)
        for time in times
    ]
    promote(models_dir, saved[0], reason="the first")
    return saved


def refuse(bundle: Bundle) -> None:
    failed = Condition("Recall@20 against the champion", -0.02, 0.0, False, "all sessions")
    write_verdict(bundle.path, Verdict(bundle.name, None, False, NOON.isoformat(), 0.25, (failed,)))


def crossrec(*arguments: str) -> int:
    return cli.exit_code(["models", *arguments])


def test_list_marks_the_champion_and_tells_the_verdicts(
    bundles: list[Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    refuse(bundles[1])
    assert crossrec("list") == 0
    _, newest, champion = capsys.readouterr().out.splitlines()
    assert newest.split()[:6] == [bundles[1].name, "2023-06-01", "13:00", "0.0", "MB", "0.250"]
    assert newest.endswith("refused by the gate: Recall@20 against the champion is -0.02, bound 0")
    assert champion.startswith(f"*  {bundles[0].name}")
    assert champion.endswith("not judged")


def test_list_goes_on_past_a_damaged_bundle(
    bundles: list[Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    (bundles[1].path / "manifest.json").write_text("{")
    assert crossrec("list") == 0
    _, damaged, whole = capsys.readouterr().out.splitlines()
    assert "damaged: " in damaged
    assert bundles[0].name in whole


def test_show_prints_the_card_and_the_verdict(
    bundles: list[Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    refuse(bundles[1])
    assert crossrec("show", bundles[1].name) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"# popularity {bundles[1].version}\n")
    assert printed.splitlines()[-1].split("  ")[0] == "Recall@20 against the champion"
    assert "FAILED" in printed.splitlines()[-1]


def test_show_without_a_name_is_of_the_champion(
    bundles: list[Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    assert crossrec("show") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"# popularity {bundles[0].version}\n")
    assert printed.endswith("The gate has not judged this model.\n")


def test_promotion_moves_the_champion_and_keeps_the_reason(
    bundles: list[Bundle], models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crossrec("promote", bundles[1].name, "--reason", "campaign") == 0
    captured = capsys.readouterr()
    assert captured.out == f"{bundles[1].name} is served; before it: {bundles[0].name}.\n"
    assert captured.err == ""
    champion = read_champion(models_dir)
    assert champion is not None
    assert (champion.name, champion.by, champion.reason) == (bundles[1].name, "manual", "campaign")


def test_rollback_goes_back_and_keeps_the_reason(bundles: list[Bundle], models_dir: Path) -> None:
    crossrec("promote", bundles[1].name, "--reason", "campaign")
    assert crossrec("rollback", "--reason", "it is over") == 0
    last = read_promotions(models_dir)[-1]
    assert (last.name, last.by, last.reason) == (bundles[0].name, "rollback", "it is over")


def damage(bundle: Bundle) -> None:
    (bundle.path / "weights.safetensors").write_bytes(b"")


def nothing(_: Bundle) -> None:
    pass


@pytest.mark.parametrize(
    ("before", "arguments", "message"),
    [
        (nothing, ["promote", "{newest}", "--reason", " "], "--reason is empty; say in words why"),
        (nothing, ["rollback", "--reason", ""], "--reason is empty"),
        (nothing, ["rollback", "--reason", "why"], "There is nothing to roll back to from"),
        (damage, ["promote", "{newest}", "--reason", "why"], "is truncated or was altered"),
        (nothing, ["promote", "{newest}9", "--reason", "why"], "Did you mean {newest} or "),
        (nothing, ["show", "{newest}9"], "Did you mean {newest}"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    bundles: list[Bundle],
    models_dir: Path,
    capsys: pytest.CaptureFixture[str],
    before: Callable[[Bundle], None],
    arguments: list[str],
    message: str,
) -> None:
    before(bundles[1])
    promotions = read_promotions(models_dir)
    newest = bundles[1].name
    assert crossrec(*(argument.format(newest=newest) for argument in arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message.format(newest=newest) in captured.err
    assert read_promotions(models_dir) == promotions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list"], "There are no models in"),
        (["show"], "There is no champion in"),
        (["rollback", "--reason", "why"], "There is no champion in"),
    ],
)
def test_before_the_first_run_each_command_says_what_to_do(
    models_dir: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert crossrec(*arguments) == 2
    error = capsys.readouterr().err
    assert f"{message} {models_dir}" in error
    assert "crossrec run" in error


@pytest.mark.parametrize("arguments", [["promote", "x/y"], ["rollback"]])
def test_a_reason_must_be_given(
    models_dir: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert crossrec(*arguments) == 2
    assert "--reason" in capsys.readouterr().err
