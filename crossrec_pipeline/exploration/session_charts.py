"""The split sessions go in, charts of them come out: lengths, item types, transitions, support.

Every function raises NoDataError where there is no session or item to draw.
"""

from collections.abc import Callable
from itertools import cycle

import altair as alt
import numpy as np
import polars as pl

from crossrec_pipeline.exploration.aggregates import NoDataError
from crossrec_pipeline.exploration.chart_forms import (
    Chart,
    finish,
    group_colour,
    grouped_bars,
    heat_map,
    inline,
    log_axis,
    log_scale,
)
from crossrec_pipeline.rendering import BLUE, GREEN, ORANGE, PALETTE
from crossrec_pipeline.sessions.store import PARTS, SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_PART_COLOURS: dict[str, str] = dict(zip(PARTS, (BLUE, ORANGE, GREEN), strict=True))
_MAX_LENGTHS = 100
_RANKS_DRAWN = 150
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MICROSECONDS_AN_HOUR = 3_600_000_000
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday

Draw = Callable[[SessionDataset], Chart]


def session_drawings() -> dict[str, Draw]:
    """Return all charts of the sessions by title, the most telling first."""
    return {
        "Session lengths": session_lengths,
        "Transitions between types": type_transitions,
        "Item types per session": types_per_session,
        "Events by type": events_by_type,
        "Item support": item_support,
        "Sessions by weekday and hour": sessions_by_weekday_and_hour,
    }


def session_lengths(dataset: SessionDataset) -> Chart:
    """Draw which share of each part's sessions has which number of events."""
    frames, facts = [], []
    for part, store in _stores(dataset).items():
        # Sessions longer than the axis are counted at its end.
        lengths = np.minimum(np.asarray(store.lengths), _MAX_LENGTHS)
        counts = np.bincount(lengths)
        first = int(lengths.min())
        frame = pl.DataFrame({"length": np.arange(first, len(counts)), "n": counts[first:]})
        frames.append(_with_share(frame, part))
        facts.append(f"{part} {store.n_sessions:,} (mean {store.lengths.mean():.1f})")
    data = pl.concat(frames)
    chart = (
        alt.Chart(inline(data))
        .mark_line(point=alt.OverlayMarkDef(size=30, filled=True), strokeWidth=1.5)
        .encode(
            x=alt.X(
                "length:Q",
                title=f"Events in the session ({_MAX_LENGTHS}: or more)"
                if data["length"].max() == _MAX_LENGTHS
                else "Events in the session",
                axis=alt.Axis(format="d", tickMinStep=1),
                scale=alt.Scale(zero=False, nice=False, padding=8),
            ),
            y=alt.Y("share:Q", title="Share of the part's sessions", axis=alt.Axis(format="~%")),
            color=group_colour("part", _PART_COLOURS),
            shape=alt.Shape(
                "part:N",
                title=None,
                sort=list(PARTS),
                scale=alt.Scale(domain=list(PARTS)),
                legend=alt.Legend(orient="bottom", symbolSize=90, columns=6),
            ),
        )
    )
    return finish(chart, "Sessions: lengths by part of the split", f"Sessions: {', '.join(facts)}.")


def types_per_session(dataset: SessionDataset) -> Chart:
    """Draw how many sessions of each part have items of one, two or more types."""
    frames = []
    for part, store in _stores(dataset).items():
        codes = dataset.vocabulary.type_codes[store.item_index]
        seen = np.zeros((store.n_sessions, len(dataset.vocabulary.types)), dtype=bool)
        seen[np.repeat(np.arange(store.n_sessions), store.lengths), codes] = True
        counts = pl.Series("types", seen.sum(axis=1)).value_counts(sort=False, name="n")
        frames.append(_with_share(counts.sort("types"), part))
    data = pl.concat(frames).with_columns(pl.col("types").cast(pl.String))
    across = data.filter(pl.col("types") != "1")["n"].sum() / data["n"].sum()
    return grouped_bars(
        data,
        label="types",
        value="share",
        text="text",
        group="part",
        labels=sorted(data["types"].unique().to_list(), key=int),
        colours=_present(data),
        y_title="Item types in the session",
        axis="Share of the part's sessions",
        title="Sessions: number of item types",
        subtitle=f"{across:.1%} of all sessions have items of more than one type.",
    )


def type_transitions(dataset: SessionDataset) -> Chart:
    """Draw which type follows which, as shares of the events that follow each type."""
    types = dataset.vocabulary.types
    counts = np.zeros((len(types), len(types)), dtype=np.int64)
    for store in _stores(dataset).values():
        counts += _transition_counts(store, dataset.vocabulary)
    totals = counts.sum(axis=1, keepdims=True)
    if not totals.sum():
        raise NoDataError("No data: no session has two events.")
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    data = pl.DataFrame(
        {
            "last": np.repeat(types, len(types)),
            "next": np.tile(types, len(types)),
            "share": shares.ravel(),
            "transitions": counts.ravel(),
        }
    ).with_columns(pl.col("share").fill_nan(None))
    within = np.trace(counts) / counts.sum()
    return heat_map(
        data,
        x="next",
        y="last",
        value="share",
        x_order=types,
        y_order=types,
        x_title="Type of the next item",
        y_title="Type of the item before",
        scale=alt.Scale(scheme="blues", domain=[0, 1]),
        value_format=".1%",
        title="Sessions: transitions between types",
        subtitle=f"Every row adds up to 100%. {counts.sum():,} transitions, {within:.1%} of them "
        "within one type.",
        cell_height=52,
    )


def events_by_type(dataset: SessionDataset) -> Chart:
    """Draw how the events of each part are spread over the item types."""
    types = dataset.vocabulary.types
    frames = []
    for part, store in _stores(dataset).items():
        codes = dataset.vocabulary.type_codes[store.item_index]
        counts = np.bincount(codes, minlength=len(types))
        frames.append(_with_share(pl.DataFrame({"type": types, "n": counts}), part))
    data = pl.concat(frames)
    return grouped_bars(
        data,
        label="type",
        value="share",
        text="text",
        group="part",
        labels=types,
        colours=_present(data),
        y_title=None,
        axis="Share of the part's events",
        title="Sessions: events by item type",
        subtitle=f"{data['n'].sum():,} events in sessions; beside each bar its share and number.",
    )


def item_support(dataset: SessionDataset) -> Chart:
    """Draw the events of items in train against their rank among their type, log-log."""
    vocabulary = dataset.vocabulary
    if not vocabulary.n_items:
        raise NoDataError("No data: the vocabulary has no item.")
    frames = []
    for name in vocabulary.types:
        supports = (
            vocabulary.frame.filter(pl.col("item_type") == name)["support"]
            .sort(descending=True)
            .to_numpy()
        )
        spaced = np.geomspace(1, len(supports), num=min(_RANKS_DRAWN, len(supports)))
        ranks = np.unique(np.round(spaced).astype(np.int64))
        frames.append(pl.DataFrame({"type": name, "rank": ranks, "support": supports[ranks - 1]}))
    # A logarithm has no place for an item without events.
    data = pl.concat(frames).filter(pl.col("support") > 0)
    if data.is_empty():
        raise NoDataError("No data: no item has an event in train.")
    ordered = np.sort(vocabulary.support)[::-1]
    top = ordered[: max(1, round(len(ordered) / 100))].sum() / ordered.sum()
    # More types than colours share them: lines are dashed by type as well.
    colours = dict(zip(vocabulary.types, cycle(PALETTE), strict=False))
    chart = (
        alt.Chart(inline(data))
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X(
                "rank:Q",
                title="Rank of the item among its type",
                scale=log_scale(),
                axis=log_axis(data["rank"]),
            ),
            y=alt.Y(
                "support:Q",
                title="Events in train",
                scale=log_scale(),
                axis=log_axis(data["support"]),
            ),
            color=group_colour("type", colours),
            strokeDash=alt.StrokeDash(
                "type:N",
                title=None,
                scale=alt.Scale(domain=vocabulary.types),
                legend=alt.Legend(orient="bottom", symbolSize=300, columns=6),
            ),
        )
    )
    return finish(
        chart,
        "Sessions: support of items",
        f"{vocabulary.n_items:,} items known in train; the most frequent 1% of them have "
        f"{top:.1%} of the events. Logarithmic scales.",
    )


def sessions_by_weekday_and_hour(dataset: SessionDataset) -> Chart:
    """Draw when sessions begin, by weekday and hour, UTC."""
    starts = np.concatenate([np.asarray(store.start_us) for store in _stores(dataset).values()])
    hours = starts // _MICROSECONDS_AN_HOUR
    weekday = (hours // 24 + _EPOCH_WEEKDAY) % 7
    counts = np.bincount(weekday * 24 + hours % 24, minlength=7 * 24)
    data = pl.DataFrame(
        {
            "weekday": np.repeat(_WEEKDAYS, 24),
            "hour": np.tile(np.arange(24), 7),
            "sessions": counts,
        }
    )
    return heat_map(
        data,
        x="hour",
        y="weekday",
        value="sessions",
        x_order=range(24),
        y_order=_WEEKDAYS,
        x_title="Hour of the first event, UTC",
        y_title=None,
        scale=alt.Scale(scheme="blues", domain=[0, max(1, int(counts.max()))]),
        value_format=None,
        title="Sessions by weekday and hour",
        subtitle=f"{len(starts):,} sessions by the time of their first event.",
    )


def _stores(dataset: SessionDataset) -> dict[str, SessionStore]:
    """Return the parts that have sessions."""
    stores = {part: getattr(dataset, part) for part in PARTS}
    stores = {part: store for part, store in stores.items() if store.n_sessions}
    if not stores:
        raise NoDataError("No data: there is no session.")
    return stores


def _transition_counts(store: SessionStore, vocabulary: Vocabulary) -> np.ndarray:
    """Count neighbours in sessions by the two items' types, int64 [n_types, n_types]."""
    n_types = len(vocabulary.types)
    codes = vocabulary.type_codes[store.item_index].astype(np.int64)
    same_session = np.ones(max(len(codes) - 1, 0), dtype=bool)
    borders = np.asarray(store.offsets[1:-1]) - 1
    same_session[borders[(borders >= 0) & (borders < len(same_session))]] = False
    pairs = (codes[:-1] * n_types + codes[1:])[same_session]
    return np.bincount(pairs, minlength=n_types**2).reshape(n_types, n_types)


def _with_share(counts: pl.DataFrame, part: str) -> pl.DataFrame:
    """Add each count `n`'s `share` of all, a `text` of both, and the `part`."""
    total = int(counts["n"].sum())
    shares = [n / total if total else 0.0 for n in counts["n"]]
    return counts.with_columns(
        pl.col("n").cast(pl.Int64),
        pl.Series("share", shares),
        pl.Series(
            "text", [f"{share:.1%} ({n:,})" for share, n in zip(shares, counts["n"], strict=True)]
        ),
        pl.lit(part).alias("part"),
    )


def _present(data: pl.DataFrame) -> dict[str, str]:
    """Return the colours of the parts that are drawn."""
    parts = set(data["part"])
    return {part: colour for part, colour in _PART_COLOURS.items() if part in parts}
