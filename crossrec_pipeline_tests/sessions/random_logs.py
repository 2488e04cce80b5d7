"""Random logs that crowd at midnights, at the gap and at equal times."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from crossrec_pipeline_tests.sessions.logs import MICROSECOND, Event

ITEM_IDS = [f"{kind}_{name}" for kind in ("Book", "Movie") for name in "abc"]
GAPS_MINUTES = [10.0, 30.0, 45.5, 1_500.0]
"""The last one is longer than a day."""

_USERS_OF_SESSION = {"r": [None], "s": [None, "u"], "t": ["v"]}
_minutes = st.builds(
    lambda day, minute, microseconds: 1_440 * day + minute + microseconds * MICROSECOND,
    st.integers(0, 4),
    st.sampled_from([0, 0, 5, 15, 30, 700, 1_390, 1_410, 1_425, 1_435]),
    st.sampled_from([0, 0, 0, 1]),
)
_with_user = st.builds(
    Event, st.sampled_from([None, "u", "v", "w"]), st.sampled_from(ITEM_IDS), _minutes
)
_with_session = st.builds(
    lambda event, session_id, user: replace(
        event,
        session_id=session_id,
        user_id=_USERS_OF_SESSION[session_id][user % len(_USERS_OF_SESSION[session_id])],
    ),
    _with_user,
    st.sampled_from("rst"),
    st.integers(0, 1),
)


def logs(min_size: int, max_size: int) -> st.SearchStrategy[list[Event]]:
    """Make logs in which some events have a stream, and no session has two users."""
    event = st.one_of(_with_user, _with_user, _with_user, _with_session)
    return st.lists(event, min_size=min_size, max_size=max_size).filter(
        lambda events: any(event.user_id or event.session_id for event in events)
    )


def typed(events: Sequence[Event], seed: int) -> list[Event]:
    """Give each event a type, or none."""
    random = Random(seed)
    kinds = ["clicked", "clicked", "clicked", "searched", "scrolled", None]
    return [replace(event, event_type=random.choice(kinds)) for event in events]


def dense_log(seed: int) -> list[Event]:
    """Make a log of five days with enough visits in it to learn from."""
    random = Random(seed)
    events = []
    for _ in range(60):
        session_id = random.choice([None, None, None, None, "r", "s", "t", "short"])
        users = _USERS_OF_SESSION.get(session_id or "", ["u", "v", "w", "x", None])
        minute = 1_440 * random.randrange(5) + random.choice([0, 90, 300, 700, 1_410, 1_430])
        if session_id == "short":
            session_id, users = f"short-{minute}", [None]
        for _ in range(random.randint(1, 7)):
            user_id, item_id = random.choice(users), random.choice(ITEM_IDS)
            events.append(Event(user_id, item_id, minute, session_id))
            minute += random.choice([0, 1, 1, 2, 10, 10 + MICROSECOND, 30, 30 + MICROSECOND])
    random.shuffle(events)
    return events
