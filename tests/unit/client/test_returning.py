"""Whether a client comes back and when, by the router's own catalogue of ends; and when it renews its token."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from wampgate.client.joining import end_by_close, end_by_failure
from wampgate.client.plan import CONNECTION_LOST, NO_TOKEN, UNTRUSTED, End, Renewal, Returning
from wampgate.core.errors import ENDINGS, EXPIRED, NO_ANSWER, OVERLOAD, SHUTDOWN, TOO_MANY_SESSIONS, Ending

# The same URIs as of what a retry can cure: a slow login, and sessions of one's own that the router still counts.
TRIED_ALL_THE_SAME = (NO_ANSWER, TOO_MANY_SESSIONS)


def returning(draw: float = 1.0, *, renewable: bool = False) -> Returning:
    made = Returning(renewable=renewable, first=1, longest=30, draw=lambda: draw)
    made.connecting()
    return made


def as_told(ending: Ending) -> list[End]:
    """How a client sees an end, whatever the router's key ``goodbye`` says."""
    told = End(ending.reason, "because", told=True)
    closed = end_by_close(ending.code, ending.reason)
    if ending.told == "dropped":
        return [end_by_close(1006, "connection was closed uncleanly")]
    return [closed] if ending.told == "close" else [told, closed]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.name)
def test_every_end_of_the_catalogue(ending: Ending) -> None:
    expected = ending.curable or ending in TRIED_ALL_THE_SAME
    for end in as_told(ending):
        if end.code == 1000:
            continue  # it answers what the client itself did
        assert (returning().wait_after(end, 0) is not None) == expected, end


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (End(NO_TOKEN, "the token could not be fetched"), True),
        (end_by_failure(ConnectionRefusedError("no one listens")), True),
        (End(CONNECTION_LOST, code=1011), True),
        (End(CONNECTION_LOST, code=1002), False),
        (End("com.example.maintenance", "told by an administrator", told=True), False),
    ],
)
def test_other_ends(end: End, expected: bool) -> None:
    assert (returning().wait_after(end, 0) is not None) == expected


def test_an_expired_token_is_no_reason_to_stay_away_where_there_are_others() -> None:
    for end in as_told(EXPIRED):
        assert returning(renewable=True).wait_after(end, 0) is not None
        assert returning(renewable=False).wait_after(end, 0) is None


def test_a_certificate_that_is_not_trusted_is_a_mistake_at_the_start_only() -> None:
    end = End(UNTRUSTED, "certificate verify failed")
    made = returning()
    assert made.wait_after(end, 0) is None
    made.joined(0)
    assert made.wait_after(end, 0) is not None


def test_waits_double_up_to_the_longest() -> None:
    made = returning()
    waits = []
    for _ in range(8):
        waits.append(made.wait_after(End(CONNECTION_LOST), 0))
        made.connecting()
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    made.attempt = 10**6
    assert made.wait_after(End(CONNECTION_LOST), 0) == 30


def test_a_session_that_settled_begins_with_short_waits_again() -> None:
    made = returning()
    for _ in range(5):
        made.connecting()
    made.joined(100)
    assert made.wait_after(End(CONNECTION_LOST), 105) == 30
    made.joined(200)
    assert made.wait_after(End(CONNECTION_LOST), 211) == 1


def test_what_is_overloaded_is_given_time() -> None:
    assert returning().wait_after(end_by_close(OVERLOAD.code, OVERLOAD.reason), 0) == 5


def test_jitter_is_full_and_even() -> None:
    source = random.Random(7)
    waits = []
    for _ in range(2000):
        made = Returning(renewable=False, first=10, draw=source.random)
        made.connecting()
        wait = made.wait_after(end_by_close(SHUTDOWN.code, SHUTDOWN.reason), 0)
        assert wait is not None
        waits.append(wait)
    waits.sort()
    assert 0 <= waits[0] < 0.1
    assert 9.9 < waits[-1] <= 10
    assert max(later - earlier for earlier, later in pairwise(waits)) < 0.1


@pytest.mark.parametrize(("first", "longest"), [(0, 1), (-1, 1), (2, 1)])
def test_waits_that_are_none_are_refused(first: float, longest: float) -> None:
    with pytest.raises(ValueError, match="in seconds"):
        Returning(renewable=False, first=first, longest=longest)


def test_a_token_is_shown_anew_where_the_router_will_not_warn() -> None:
    renewal = Renewal()
    renewal.warned(60)
    assert renewal.refreshed(None) is None
    assert renewal.refreshed(3600) is None
    assert renewal.refreshed(40) == 20
    assert renewal.refreshed(0.5) == 1


def test_what_failed_is_tried_again_until_it_is_too_late() -> None:
    assert Renewal.failed(60) == 30
    assert Renewal.failed(2.5) == 1.25
    assert Renewal.failed(2) is None
