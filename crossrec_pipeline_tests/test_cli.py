import re
from pathlib import Path

import pytest

from crossrec_pipeline import cli
from crossrec_pipeline.serving.recommender import SessionRecommender, load_recommender
from crossrec_pipeline_tests.built_world import BuiltWorld, built_world

pytestmark = pytest.mark.xdist_group("built")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


@pytest.fixture
def recommender(world: BuiltWorld, monkeypatch: pytest.MonkeyPatch) -> SessionRecommender:
    """Point the environment at the built world, and load its champion."""
    for name, value in world.variables.items():
        monkeypatch.setenv(name, value)
    return load_recommender()


def book(recommender: SessionRecommender) -> tuple[str, str]:
    """Return id and title of a book no other item shares its title with."""
    frame = recommender.vocabulary.frame
    unique = frame.filter(frame["title"].is_unique(), item_type="Book")
    return unique.select("item_id", "title").row(0)


def ids(printed: str) -> list[str]:
    """Read the item ids of a printed list: they follow score and type."""
    lines = [
        re.split(r"\s{2,}|\s(?=(?:Book|Movie)_)", line.strip()) for line in printed.splitlines()
    ]
    return [next(cell for cell in line if cell.startswith(("Book_", "Movie_"))) for line in lines]


def test_recommend_prints_score_type_id_and_title(
    recommender: SessionRecommender, capsys: pytest.CaptureFixture[str]
) -> None:
    item_id, _ = book(recommender)
    assert cli.exit_code(["recommend", item_id, "--top-k", "3"]) == 0
    expected = recommender.recommend_next_items([item_id], 3)
    assert ids(capsys.readouterr().out) == [row.item_id for row in expected]


def test_titles_without_prefix_mean_the_same(
    recommender: SessionRecommender, capsys: pytest.CaptureFixture[str]
) -> None:
    item_id, title = book(recommender)
    cli.exit_code(["recommend", item_id])
    by_id = capsys.readouterr().out
    assert cli.exit_code(["recommend", title.upper()]) == 0
    assert capsys.readouterr().out == by_id


def test_types_filter_the_list(
    recommender: SessionRecommender, capsys: pytest.CaptureFixture[str]
) -> None:
    item_id, _ = book(recommender)
    assert cli.exit_code(["recommend", item_id, "--type", "movie"]) == 0
    assert all(name.startswith("Movie_") for name in ids(capsys.readouterr().out))
    assert cli.exit_code(["recommend", item_id, "--type", "Movie", "--type", "Book"]) == 0
    both = capsys.readouterr().out
    cli.exit_code(["recommend", item_id])
    assert capsys.readouterr().out == both


def test_seen_items_can_be_left_out(
    recommender: SessionRecommender, capsys: pytest.CaptureFixture[str]
) -> None:
    item_id, _ = book(recommender)
    everything = ["recommend", item_id, "--top-k", "100000"]
    cli.exit_code(everything)
    assert item_id in ids(capsys.readouterr().out)
    assert cli.exit_code([*everything, "--exclude-seen"]) == 0
    assert item_id not in ids(capsys.readouterr().out)


def test_an_unknown_item_is_named_with_near_ones(
    recommender: SessionRecommender, capsys: pytest.CaptureFixture[str]
) -> None:
    item_id, title = book(recommender)
    misspelt = title[:-1] + "~"
    assert cli.exit_code(["recommend", misspelt]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"crossrec: {misspelt!r} is not an item this model knows. Did")
    assert item_id in captured.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--type", "Game"], "'Game'; this model knows Book, Movie"),
        (["--top-k", "0"], "top_k=0 must be at least 1"),
    ],
)
def test_an_impossible_option_is_named(
    recommender: SessionRecommender,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    assert cli.exit_code(["recommend", book(recommender)[0], *options]) == 2
    assert message in capsys.readouterr().err


def test_report_prints_every_model(
    recommender: SessionRecommender, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.exit_code(["report"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("Recall@20", "chance", "markov", "gru4rec"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report"], "metrics.parquet does not exist: nothing has been evaluated. Run: crossrec"),
        (["recommend", "Dune"], "There is no model in"),
    ],
)
def test_before_the_first_run_each_command_says_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("CROSSREC_DATA_DIR", str(tmp_path))
    assert cli.exit_code(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "crossrec run" in error
    assert str(tmp_path) in error


def test_a_setting_of_a_wrong_value_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSREC_SESSIONS__GAP_MINUTES", "abc")
    assert cli.exit_code(["run"]) == 2
    assert capsys.readouterr().err.startswith(
        "crossrec: CROSSREC_SESSIONS__GAP_MINUTES='abc': Input should be a valid number"
    )


def test_a_variable_that_is_no_setting_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSREC_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CROSSREC_TRAINNG__EPOCHS", "3")
    cli.exit_code(["report"])
    assert capsys.readouterr().err.startswith(
        "crossrec: warning: CROSSREC_TRAINNG__EPOCHS is no setting. "
        "Did you mean CROSSREC_TRAINING__EPOCHS?\n"
    )


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    monkeypatch.setenv("DAGSTER_HOME", str(in_the_way / "home"))
    assert cli.exit_code(["run"]) == 1
    error = capsys.readouterr().err
    assert str(in_the_way) in error
    assert "Check the disk and the permissions" in error


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.exit_code(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(command in printed for command in ("run", "recommend", "report"))


@pytest.mark.parametrize(
    ("command", "options"),
    [("recommend", ["--top-k", "--type", "--exclude-seen"]), ("run", ["--controls"])],
)
def test_help_of_a_command_lists_its_options(
    capsys: pytest.CaptureFixture[str], command: str, options: list[str]
) -> None:
    assert cli.exit_code([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert all(option in printed for option in options)


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.exit_code(["report", "--loud"]) == 2
    assert "--loud" in capsys.readouterr().err
