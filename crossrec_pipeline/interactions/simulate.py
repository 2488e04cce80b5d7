"""In: a world (or just items) and a size. Out: a simulated interaction log, Parquet by day.

The log is made in chunks of at most `chunk_sessions` sessions of one day and written as it comes,
so that memory depends on the chunk (and on one number a user), not on the length of the log.
Every day draws from generators of its own, seeded by the settings' seed and the day's number.
"""

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.atomic import atomic_directory
from crossrec_pipeline.errors import EventsError, SettingsError
from crossrec_pipeline.interactions.item_draws import ItemDraws, UniformDraws, WorldDraws
from crossrec_pipeline.interactions.log import DayPartitionWriter, LogSummary, Progress
from crossrec_pipeline.interactions.rhythm import (
    SessionSizes,
    day_weights,
    draw_double_delays,
    draw_sizes,
    draw_times,
    events_by_day,
    mean_events_per_session,
)
from crossrec_pipeline.interactions.schema import EVENTS
from crossrec_pipeline.interactions.world import World
from crossrec_pipeline.settings import SimulationSettings

CHUNK_SESSIONS = 4_096
TOLERANCE = 0.01
"""Share of `n_events` by which a log may fall short."""

_EVENT_TYPES = ("clicked", "searched", "scrolled")
_EVENT_TYPE_SHARES = (0.85, 0.10, 0.05)
_USERS_STREAM, _DAYS_STREAM = 1, 2  # stream 0 of a seed builds the world


def simulate_log(
    world: World,
    settings: SimulationSettings,
    events_dir: Path,
    progress: Progress | None = None,
    chunk_sessions: int = CHUNK_SESSIONS,
) -> LogSummary:
    """Simulate a log whose sessions follow a world's law.

    Parameters
    ----------
    world
        The law; see `crossrec_pipeline.interactions.world`.
    settings
        Size, days and seed.
    events_dir
        Replaced as a whole by ``date=YYYY-MM-DD/part-0.parquet``.
    progress
        Told about every twentieth of the log.
    chunk_sessions
        Sessions made at a time. Another value gives another, equally distributed log.

    Raises
    ------
    SettingsError
        If the settings cannot give such a log.
    """
    rng = np.random.default_rng(np.random.SeedSequence([settings.seed, _USERS_STREAM]))
    archetypes = rng.choice(
        len(world.archetype_share), size=settings.n_users, p=world.archetype_share
    ).astype(np.uint16)
    draws = WorldDraws(world, archetypes)
    return _stream(draws, settings, events_dir, progress, chunk_sessions)


def simulate_uniform_log(
    items: pl.DataFrame,
    settings: SimulationSettings,
    events_dir: Path,
    progress: Progress | None = None,
    chunk_sessions: int = CHUNK_SESSIONS,
) -> LogSummary:
    """Simulate the null control: the same sessions in time, every item alike in each.

    Nothing can be learnt from it, so a model that beats chance on it sees what it must not see.
    Parameters and errors as `simulate_log`; `items` needs the column item_id.
    """
    item_ids = tuple(items["item_id"].sort().to_list())
    if len(item_ids) < 2:
        raise EventsError(
            f"The catalogue has {len(item_ids)} items; a uniform log needs at least 2. "
            "Add items, or set CROSSREC_EVENTS to the path of your own log."
        )
    return _stream(UniformDraws(item_ids), settings, events_dir, progress, chunk_sessions)


def _stream(
    draws: ItemDraws,
    settings: SimulationSettings,
    events_dir: Path,
    progress: Progress | None,
    chunk_sessions: int,
) -> LogSummary:
    first_day = _first_day(settings)
    _require_room(settings, first_day)
    seeds = np.random.SeedSequence([settings.seed, _DAYS_STREAM]).spawn(settings.n_days)
    planned = np.cumsum(events_by_day(settings.n_events, first_day, settings.n_days))
    next_report = 0.05
    with atomic_directory(events_dir) as partial, DayPartitionWriter(partial) as writer:
        for number in range(settings.n_days):
            day = first_day + timedelta(days=number)
            # What a day could not hold is made up for on the next ones.
            n_missing = int(planned[number]) - writer.n_rows
            _write_day(draws, writer, seeds[number], day, n_missing, settings, chunk_sessions)
            writer.close_before(day + timedelta(days=1))
            share = writer.n_rows / settings.n_events
            if progress is not None and share >= next_report:
                progress(f"{day}: {writer.n_rows:,} of {settings.n_events:,} events")
                next_report = math.floor(share * 20) / 20 + 0.05
        if writer.n_rows < settings.n_events * (1 - TOLERANCE) - 1:
            raise _too_small(settings, settings.n_events / writer.n_rows)
        return writer.summary()


def _write_day(
    draws: ItemDraws,
    writer: DayPartitionWriter,
    seed: np.random.SeedSequence,
    day: date,
    n_events: int,
    settings: SimulationSettings,
    chunk_sessions: int,
) -> None:
    """Write about `n_events` of one simulated day, a chunk at a time."""
    # Times have a stream of their own: a uniform log has the very same sessions in time.
    time_rng, item_rng = (np.random.default_rng(part) for part in seed.spawn(2))
    users = time_rng.permutation(settings.n_users)
    n_used = 0
    while n_events >= 2 and n_used < len(users):
        sizes = draw_sizes(time_rng, n_events, min(chunk_sessions, len(users) - n_used))
        chunk_users = users[n_used : n_used + sizes.n_sessions]
        events = _chunk(draws, chunk_users, sizes, day, time_rng, item_rng)
        first_order = writer.n_rows + 1
        writer.write(
            events.with_columns(
                pl.int_range(first_order, first_order + pl.len(), dtype=pl.Int64).alias("log_order")
            )
        )
        n_events -= sizes.n_events
        n_used += sizes.n_sessions


def _chunk(
    draws: ItemDraws,
    users: np.ndarray,
    sizes: SessionSizes,
    day: date,
    time_rng: np.random.Generator,
    item_rng: np.random.Generator,
) -> pl.DataFrame:
    """Make the events of some sessions, ordered by time, without `log_order`."""
    times = draw_times(time_rng, sizes.lengths, day)
    items = draws.draw(item_rng, users, sizes.lengths)
    is_event = np.arange(items.shape[1]) < sizes.lengths[:, None]
    doubled = sizes.doubled[:, : items.shape[1]][is_event]
    row = np.concatenate([np.arange(len(doubled)), np.flatnonzero(doubled)])
    time = times[is_event][row]
    time[len(doubled) :] += draw_double_delays(time_rng, int(doubled.sum()))
    event_type = time_rng.choice(len(_EVENT_TYPES), size=len(doubled), p=_EVENT_TYPE_SHARES)
    user = np.repeat(users, sizes.lengths)
    order = np.argsort(time, kind="stable")
    row = row[order]
    return pl.DataFrame(
        {
            "user_id": pl.Series(user[row]),
            "item_id": pl.Series(draws.item_ids).gather(items[is_event][row]),
            "event_type": pl.Series(_EVENT_TYPES).gather(event_type[row]),
            "timestamp": pl.Series(time[order]),
        }
    ).with_columns(
        pl.lit(None, EVENTS["session_id"]).alias("session_id"),
        pl.format("user-{}", pl.col("user_id").cast(pl.String).str.zfill(6)).alias("user_id"),
        pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    )


def _first_day(settings: SimulationSettings) -> date:
    try:
        first_day = date.fromisoformat(settings.first_day)
        _ = first_day + timedelta(days=settings.n_days + 1)
    except ValueError:
        raise SettingsError(
            f"CROSSREC_SIMULATION__FIRST_DAY={settings.first_day!r} is not a date such as "
            "2023-01-01."
        ) from None
    except OverflowError:
        raise SettingsError(
            f"CROSSREC_SIMULATION__N_DAYS={settings.n_days} days from "
            f"{settings.first_day} go beyond the year 9999. Lower the number of days."
        ) from None
    return first_day


def _require_room(settings: SimulationSettings, first_day: date) -> None:
    """Refuse settings whose busiest day has more sessions than there are users."""
    if settings.n_events < 2:
        raise SettingsError(
            f"CROSSREC_SIMULATION__N_EVENTS={settings.n_events}: a session has at least 2 events."
        )
    weights = day_weights(first_day, settings.n_days)
    busiest = settings.n_events / mean_events_per_session() * weights.max() / weights.sum()
    if busiest > settings.n_users:
        raise _too_small(settings, busiest / settings.n_users)


def _too_small(settings: SimulationSettings, factor: float) -> SettingsError:
    n_users = math.ceil(settings.n_users * factor * 1.1) + 1
    n_days = math.ceil(settings.n_days * factor * 1.1) + 1
    return SettingsError(
        f"CROSSREC_SIMULATION__N_EVENTS={settings.n_events} needs more sessions than "
        f"CROSSREC_SIMULATION__N_USERS={settings.n_users} users can have in "
        f"CROSSREC_SIMULATION__N_DAYS={settings.n_days} days (one a user and day, about "
        f"{mean_events_per_session():.1f} events each). Set N_USERS to {n_users} or more, "
        f"or N_DAYS to {n_days} or more, or lower N_EVENTS."
    )
