from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from crossrec_pipeline.errors import EventsError, SettingsError
from crossrec_pipeline.interactions import log
from crossrec_pipeline.interactions.load import load_log
from crossrec_pipeline.interactions.rhythm import (
    MAX_LENGTH,
    MEAN_LENGTH,
    draw_sizes,
    draw_times,
    events_by_day,
    mean_events_per_session,
)
from crossrec_pipeline.interactions.schema import EVENTS
from crossrec_pipeline.interactions.simulate import simulate_log, simulate_uniform_log
from crossrec_pipeline.interactions.world import build_world
from crossrec_pipeline.settings import SimulationSettings
from crossrec_pipeline_tests.interactions.catalogues import catalogue

ITEMS = catalogue(40, 50, 30)
WORLD = build_world(ITEMS, seed=7)
SETTINGS = SimulationSettings(n_events=12_000, n_users=400, n_days=10)


def read(events_dir: Path) -> pl.DataFrame:
    return pl.read_parquet(events_dir / "*" / "*.parquet", hive_partitioning=False)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    events_dir = tmp_path_factory.mktemp("log") / "events"
    simulate_log(WORLD, SETTINGS, events_dir)
    return read(events_dir)


def true_sessions(events: pl.DataFrame) -> pl.DataFrame:
    """A user has at most one session between 04:00 and 04:00."""
    day = (pl.col("timestamp") - pl.duration(hours=4)).dt.date()
    return events.sort("user_id", "timestamp", "log_order").with_columns(day.alias("day"))


def test_files_lie_by_day_and_have_the_columns_of_events(tmp_path: Path):
    simulate_log(WORLD, SETTINGS, tmp_path / "events")
    files = sorted((tmp_path / "events").rglob("*.parquet"))
    assert files[0] == tmp_path / "events" / "date=2023-01-01" / "part-0.parquet"
    assert len(files) == SETTINGS.n_days + 1  # the last night ends on the next date
    for file in files:
        day = pl.read_parquet(file, hive_partitioning=False)
        assert day.schema == pl.Schema(EVENTS)
        assert day["timestamp"].dt.date().unique().to_list() == [
            date.fromisoformat(file.parent.name.removeprefix("date="))
        ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events"]


def test_summary_says_what_was_written(tmp_path: Path):
    summary = simulate_log(WORLD, SETTINGS, tmp_path / "events")
    events = read(tmp_path / "events")
    assert summary.n_in == summary.n_accepted == events.height
    assert summary.n_rejected == {}
    assert (summary.first, summary.last) == (events["timestamp"].min(), events["timestamp"].max())


@pytest.mark.parametrize("n_events", [2, 150, 1_000, 12_345])
def test_number_of_events_is_met(tmp_path: Path, n_events: int):
    asked = SimulationSettings(n_events=n_events, n_users=400, n_days=10)
    summary = simulate_log(WORLD, asked, tmp_path / "events")
    assert abs(summary.n_accepted - n_events) <= 0.01 * n_events


def test_equal_settings_give_an_equal_log_and_another_seed_another(tmp_path: Path):
    first = simulate_log(WORLD, SETTINGS, tmp_path / "a")
    second = simulate_log(WORLD, SETTINGS, tmp_path / "b")
    other = simulate_log(WORLD, SETTINGS.model_copy(update={"seed": 8}), tmp_path / "c")
    assert first == second
    assert read(tmp_path / "a").equals(read(tmp_path / "b"))
    assert other.data_digest != first.data_digest


def test_log_order_counts_the_rows_from_one(events: pl.DataFrame):
    assert events["log_order"].sort().to_list() == list(range(1, events.height + 1))


def test_only_items_of_the_catalogue_and_named_users_occur(events: pl.DataFrame):
    assert set(events["item_id"]) <= set(ITEMS["item_id"])
    assert events["user_id"].str.contains(r"^user-\d{6}$").all()
    assert events["session_id"].null_count() == events.height
    shares = dict(events["event_type"].value_counts(normalize=True).rows())
    assert shares == {
        "clicked": pytest.approx(0.85, abs=0.02),
        "searched": pytest.approx(0.10, abs=0.02),
        "scrolled": pytest.approx(0.05, abs=0.02),
    }


def test_thirty_minutes_of_silence_recover_the_true_sessions(events: pl.DataFrame):
    ordered = true_sessions(events)
    silence = pl.col("timestamp").diff().over("user_id")
    found = (silence.is_null() | (silence > timedelta(minutes=30))).cum_sum()
    pairs = ordered.select("user_id", "day", found.alias("found"))
    n_true = pairs.select("user_id", "day").n_unique()
    assert pairs["found"].n_unique() == n_true
    assert pairs.n_unique() == n_true
    assert n_true > 1_500


def test_sessions_have_two_to_forty_events_and_the_stated_mean(events: pl.DataFrame):
    lengths = true_sessions(events).group_by("user_id", "day").len()["len"].to_numpy()
    assert lengths.min() >= 2
    assert lengths.max() <= MAX_LENGTH + 4  # double-logged events come on top
    assert lengths.mean() == pytest.approx(mean_events_per_session(), rel=0.05)
    assert mean_events_per_session() == pytest.approx(MEAN_LENGTH * 1.02, rel=0.01)


def test_an_item_follows_itself_only_where_it_was_logged_twice(events: pl.DataFrame):
    pairs = true_sessions(events).with_columns(
        pl.col("item_id").shift().over("user_id", "day").alias("before"),
        pl.col("timestamp").diff().over("user_id", "day").alias("gap"),
    )
    repeats = pairs.filter(pl.col("item_id") == pl.col("before"))
    assert repeats.height / events.height == pytest.approx(0.02, abs=0.006)
    assert repeats["gap"].max() <= timedelta(seconds=4)  # type: ignore[operator]
    others = pairs.filter(pl.col("item_id") != pl.col("before"))
    assert others["gap"].min() > timedelta(seconds=4)  # type: ignore[operator]


def test_most_sessions_mix_types(events: pl.DataFrame):
    item_type = pl.col("item_id").str.extract(r"^([A-Za-z]+)_")
    n_types = true_sessions(events).group_by("user_id", "day").agg(item_type.n_unique().alias("n"))
    assert (n_types["n"] >= 2).mean() > 0.6  # type: ignore[operator]


def test_evenings_are_busier_than_mornings_and_saturdays_than_mondays(tmp_path: Path):
    weeks = SimulationSettings(n_events=20_000, n_users=800, n_days=14)
    simulate_log(WORLD, weeks, tmp_path / "events")
    times = read(tmp_path / "events")["timestamp"]
    hours, weekdays = times.dt.hour().to_numpy(), times.dt.offset_by("-4h").dt.weekday().to_numpy()
    evening, morning = (hours >= 18) & (hours <= 22), (hours >= 6) & (hours <= 10)
    assert evening.sum() > 2.5 * morning.sum()
    assert (weekdays == 6).sum() > 1.15 * (weekdays == 1).sum()


def test_chunks_are_bounded_and_leave_size_and_law_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # What is held back makes row groups: none here, so that each chunk is one.
    monkeypatch.setattr(log, "ROWS_AT_A_TIME", 1)
    small = simulate_log(WORLD, SETTINGS, tmp_path / "small", chunk_sessions=16)
    monkeypatch.undo()
    whole = simulate_log(WORLD, SETTINGS, tmp_path / "whole")
    assert small.n_accepted == pytest.approx(whole.n_accepted, abs=1)
    most = 16 * (2 * MAX_LENGTH)
    for file in (tmp_path / "small").rglob("*.parquet"):
        metadata = pq.ParquetFile(file).metadata
        groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        assert max(groups) <= most
    shares = []
    for name in ("small", "whole"):
        counts = read(tmp_path / name)["item_id"].value_counts()
        shares.append(dict(counts.rows()))
    top = [max(share, key=lambda item: share[item]) for share in shares]
    assert shares[0][top[1]] == pytest.approx(shares[1][top[1]], rel=0.35)


def test_progress_is_told_up_to_the_end(tmp_path: Path):
    lines: list[str] = []
    simulate_log(WORLD, SETTINGS, tmp_path / "events", progress=lines.append)
    assert 5 <= len(lines) <= 20
    assert lines[-1].endswith("of 12,000 events")


def test_uniform_log_has_the_same_sessions_in_time(tmp_path: Path, events: pl.DataFrame):
    simulate_uniform_log(ITEMS, SETTINGS, tmp_path / "events")
    uniform = read(tmp_path / "events")
    columns = ["user_id", "event_type", "timestamp", "log_order"]
    assert uniform.select(columns).equals(events.select(columns))


def test_uniform_log_prefers_no_item_and_no_successor(tmp_path: Path):
    items = ITEMS.head(5)
    simulate_uniform_log(items, SETTINGS, tmp_path / "events")
    ordered = true_sessions(read(tmp_path / "events"))
    shares = ordered["item_id"].value_counts(normalize=True)["proportion"].to_numpy()
    np.testing.assert_allclose(shares, 0.2, atol=0.02)
    pairs = ordered.with_columns(
        pl.col("item_id").shift(-1).over("user_id", "day").alias("next")
    ).filter(pl.col("next").is_not_null() & (pl.col("next") != pl.col("item_id")))
    follow = pairs.group_by("item_id", "next").len()["len"].to_numpy() / pairs.height
    assert len(follow) == 20
    np.testing.assert_allclose(follow, 1 / 20, atol=0.008)


def test_too_few_users_are_refused_with_a_number_that_works(tmp_path: Path):
    asked = SimulationSettings(n_events=10_000, n_users=20, n_days=10)
    with pytest.raises(SettingsError, match=r"N_USERS to (\d+) or more") as refused:
        simulate_log(WORLD, asked, tmp_path / "events")
    assert list(tmp_path.iterdir()) == []
    n_users = int(str(refused.value).split("N_USERS to ")[1].split()[0])
    enough = asked.model_copy(update={"n_users": n_users})
    assert simulate_log(WORLD, enough, tmp_path / "events").n_accepted == 10_000


def test_single_event_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="a session has at least 2 events"):
        simulate_log(WORLD, SimulationSettings(n_events=1), tmp_path / "events")


@pytest.mark.parametrize("first_day", ["yesterday", "2023-13-01", ""])
def test_first_day_must_be_a_date(tmp_path: Path, first_day: str):
    asked = SETTINGS.model_copy(update={"first_day": first_day})
    with pytest.raises(SettingsError, match="CROSSREC_SIMULATION__FIRST_DAY"):
        simulate_log(WORLD, asked, tmp_path / "events")


def test_days_must_end_within_the_calendar(tmp_path: Path):
    asked = SETTINGS.model_copy(update={"first_day": "9999-12-30"})
    with pytest.raises(SettingsError, match="CROSSREC_SIMULATION__N_DAYS"):
        simulate_log(WORLD, asked, tmp_path / "events")


def test_uniform_log_needs_two_items(tmp_path: Path):
    with pytest.raises(EventsError, match="1 items; a uniform log needs at least 2"):
        simulate_uniform_log(ITEMS.head(1), SETTINGS, tmp_path / "events")


def test_failed_simulation_leaves_the_old_log(tmp_path: Path):
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    before = simulate_log(WORLD, SETTINGS, tmp_path / "events")
    with pytest.raises(KeyboardInterrupt):
        simulate_log(WORLD, SETTINGS, tmp_path / "events", progress=stop)
    assert read(tmp_path / "events").height == before.n_accepted
    assert [path.name for path in tmp_path.iterdir()] == ["events"]


def test_days_share_all_events_out():
    by_day = events_by_day(10_001, date(2023, 1, 2), 14)
    assert by_day.sum() == 10_001
    assert by_day[5] > by_day[0]


@pytest.mark.parametrize("n_events", range(2, 60))
def test_drawn_sizes_meet_the_number_but_for_one(n_events: int):
    sizes = draw_sizes(np.random.default_rng(n_events), n_events, max_sessions=1_000)
    assert n_events - 1 <= sizes.n_events <= n_events
    assert sizes.lengths.min() >= 2


def test_drawn_sizes_stop_at_the_given_number_of_sessions():
    sizes = draw_sizes(np.random.default_rng(0), 10_000, max_sessions=7)
    assert sizes.n_sessions == 7


def test_longest_sessions_end_before_the_next_day_starts():
    lengths = np.full(2_000, MAX_LENGTH)
    times = draw_times(np.random.default_rng(0), lengths, date(2023, 1, 1))
    start = datetime(2023, 1, 1, 4, tzinfo=UTC).timestamp() * 1e6
    end = datetime(2023, 1, 2, 3, 29, tzinfo=UTC).timestamp() * 1e6
    assert times.min() >= start
    assert times.max() <= end
    gaps = np.diff(times, axis=1)
    assert gaps.min() >= 9_999_999
    assert gaps.max() <= 900_000_001


def test_simulated_log_delivered_as_a_file_is_loaded_as_the_same_log(tmp_path: Path):
    simulated = simulate_log(WORLD, SETTINGS, tmp_path / "events")
    delivered = read(tmp_path / "events").sort("log_order").drop("log_order", "session_id")
    delivered.write_csv(tmp_path / "log.csv")
    loaded = load_log(
        tmp_path / "log.csv",
        ITEMS,
        {},
        {},
        tmp_path / "loaded",
        tmp_path / "rejected.parquet",
        datetime(2024, 1, 1, tzinfo=UTC),
    )
    assert loaded == simulated
