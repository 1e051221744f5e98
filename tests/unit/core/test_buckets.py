"""Token buckets: what may come at once, what a second, what is refused and when a session is ended for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.routed import Clock, Peer, RealmUnderTest, Routed

from wampgate.core.buckets import CALLS, PUBLISHES, SUBSCRIBES, Buckets, Rates
from wampgate.core.limits import SessionLimits

LIMIT = "wampgate.error.limit_exceeded"
TOPIC = "com.example.news"


class World:
    """A router whose realm has token buckets."""

    def __init__(self, *, excess: int = 0, burst_seconds: float = 1.0, **rates: Rates) -> None:
        self.realm = RealmUnderTest(limits=SessionLimits(excess=excess))
        self.routed = Routed(self.realm)
        self.buckets = Buckets(
            session=rates.get("session", Rates()),
            authid=rates.get("authid"),
            address=rates.get("address"),
            burst_seconds=burst_seconds,
            now=self.routed.clock,
        )
        # The realm is made before its clock is known to the test.
        self.realm.realm.requests.buckets = self.buckets

    def peer(self, user: str = "joe", address: str = "127.0.0.1") -> Peer:
        return self.routed.peer(address).join(self.realm.add_user(user, "7"))


def asks(peer: Peer, kind: str) -> str | None:
    """Send one message of a kind; the error it gets."""
    heard = {
        "subscribe": lambda: peer.ask(32, {}, TOPIC),
        "register": lambda: peer.ask(64, {}, f"com.example.p{peer.request}"),
        "publish": lambda: peer.ask(16, {"acknowledge": True}, TOPIC),
        "call": lambda: peer.ask(48, {}, "com.example.nothing"),
    }[kind]()
    if heard[-1][0] != 8:
        return None
    # That there is no such procedure says that the call has passed.
    return None if heard[-1][4] == "wamp.error.no_such_procedure" else str(heard[-1][4])


@pytest.mark.parametrize("kind", ["subscribe", "register", "publish", "call"])
@pytest.mark.parametrize("owner", ["session", "authid", "address"])
def test_a_burst_passes_then_the_rate(kind: str, owner: str) -> None:
    world = World(burst_seconds=2, **{owner: Rates(5, 5, 5)})
    peer = world.peer()
    assert [asks(peer, kind) for _ in range(10)] == [None] * 10
    assert [asks(peer, kind) for _ in range(5)] == [LIMIT] * 5
    # What was refused costs nothing: after a fifth of a second there is a place for one again.
    world.routed.clock.now += 0.2
    assert [asks(peer, kind) for _ in range(2)] == [None, LIMIT]
    world.routed.clock.now += 60
    assert [asks(peer, kind) for _ in range(11)] == [None] * 10 + [LIMIT]


def test_kinds_do_not_share_a_bucket_but_subscribe_and_register_do() -> None:
    peer = World(session=Rates(2, 2, 2)).peer()
    assert [asks(peer, kind) for kind in ("subscribe", "register", "subscribe", "register")] == [None, None] + [
        LIMIT
    ] * 2
    assert [asks(peer, "publish") for _ in range(3)] == [None, None, LIMIT]
    assert [asks(peer, "call") for _ in range(3)] == [None, None, LIMIT]


def test_sessions_have_buckets_of_their_own() -> None:
    world = World(session=Rates(publishes=1))
    one, other = world.peer(), world.peer()
    assert [asks(one, "publish"), asks(one, "publish"), asks(other, "publish")] == [None, LIMIT, None]


def test_sessions_of_one_authid_share_its_bucket_and_a_new_one_does_not_fill_it() -> None:
    world = World(authid=Rates(publishes=1))
    one, other, stranger = world.peer(), world.peer(address="10.0.0.1"), world.peer("ann")
    assert [asks(one, "publish"), asks(other, "publish"), asks(stranger, "publish")] == [None, LIMIT, None]
    one.leave()
    other.leave()
    assert asks(world.peer(), "publish") == LIMIT


def test_sessions_from_one_address_share_its_bucket() -> None:
    world = World(address=Rates(publishes=1))
    one, other, elsewhere = world.peer(), world.peer("ann"), world.peer(address="10.0.0.1")
    assert [asks(one, "publish"), asks(other, "publish"), asks(elsewhere, "publish")] == [None, LIMIT, None]


def test_the_error_says_what_to_do() -> None:
    peer = World(session=Rates(calls=1)).peer()
    asks(peer, "call")
    error = peer.ask(48, {}, "com.example.nothing")[-1]
    assert error[:2] == [8, 48]
    assert error[5] == ["more than 1 CALL messages a second from this session; wait and try again"]


def test_a_publication_that_is_not_acknowledged_is_dropped_and_counted() -> None:
    world = World(session=Rates(publishes=2))
    peer, reader = world.peer(), world.peer()
    reader.ask(32, {}, TOPIC)
    for _ in range(5):
        assert peer.ask(16, {}, TOPIC) == []
    assert [message[0] for message in reader.heard()] == [36, 36]
    assert world.realm.realm.counters["limit_publishes_per_second_per_session"] == 3


def test_publishing_by_call_counts_as_publishing() -> None:
    peer = World(session=Rates(publishes=2)).peer()
    answers = [peer.ask(48, {}, "wampgate.publish", [TOPIC])[-1] for _ in range(3)]
    assert [answer[0] for answer in answers] == [50, 50, 8]
    assert answers[2][4] == LIMIT


@pytest.mark.parametrize("acknowledge", [False, True])
def test_who_goes_on_is_ended_in_a_way_from_which_it_comes_back(acknowledge: bool) -> None:
    world = World(session=Rates(publishes=1), excess=3)
    world.routed.router._farewell = "auto"
    peer = world.peer()
    for _ in range(3):
        peer.ask(16, {"acknowledge": acknowledge}, TOPIC)
        assert peer.closed is None
    heard = peer.ask(16, {"acknowledge": acknowledge}, TOPIC)
    assert heard == []
    assert peer.closed == (1013, LIMIT)
    assert world.routed.is_empty()
    exceeded = [fields for event, fields in world.routed.records if event == "exceeded"]
    assert [fields["count"] for fields in exceeded] == [1, 3]
    assert {fields["limit"] for fields in exceeded} == {"publishes_per_second_per_session"}


def test_a_session_is_not_ended_where_no_number_is_set() -> None:
    peer = World(session=Rates(publishes=1), excess=0).peer()
    for _ in range(5000):
        peer.ask(16, {}, TOPIC)
    assert peer.closed is None


def test_full_buckets_of_owners_that_are_gone_are_forgotten() -> None:
    clock = Clock()
    buckets = Buckets(session=Rates(), authid=Rates(publishes=1), burst_seconds=1, now=clock)
    sender = Sender()
    for number in range(30_000):
        clock.now += 0.01
        sender.principal.authid = str(number)
        assert buckets.exceeded(PUBLISHES, sender) is None  # type: ignore[arg-type]  # all that is asked of a session
    assert len(buckets._full_by_authid) <= 10_001


class Sender:
    """All that a bucket asks of a session."""

    def __init__(self) -> None:
        self.buckets: list[float] | None = None
        self.principal = self.realm = self.connection = self
        self.name = self.authid = self.address = "x"


@given(
    rate=st.floats(min_value=0.1, max_value=1e4),
    burst=st.floats(min_value=0.01, max_value=100),
    steps=st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=200),
)
def test_no_more_than_the_burst_and_the_rate_pass(rate: float, burst: float, steps: list[float]) -> None:
    clock = Clock()
    sender: Any = Sender()
    buckets = Buckets(session=Rates(calls=rate), burst_seconds=burst, now=clock)
    start, passed = clock.now, 0
    for step in steps:
        clock.now += step
        passed += buckets.exceeded(CALLS, sender) is None
        # Rounding may let one more or one less through, never more.
        assert passed <= max(1, rate * burst) + rate * (clock.now - start) + 1
    clock.now += burst + 1 / rate
    assert buckets.exceeded(CALLS, sender) is None
    assert buckets.exceeded(SUBSCRIBES, sender) is None


# --- sessions of one authid ---


def test_the_next_session_of_an_authid_is_refused_and_places_come_back() -> None:
    realm = RealmUnderTest(limits=SessionLimits(sessions_per_authid=2))
    routed = Routed(realm)
    token, other = realm.add_user("joe", "7"), realm.add_user("ann", "7")
    one = routed.peer().join(token)
    routed.peer().join(token)
    refused = routed.peer()
    refused.hello(authmethods=["ticket"])
    abort = refused.say(5, token, {})[-1]
    assert (abort[0], abort[2]) == (3, LIMIT)
    assert abort[1]["message"] == "there are 2 sessions under this authid already: end one of them first"
    assert refused.closed == (1008, LIMIT)
    routed.peer().join(other)
    one.leave()
    routed.peer().join(token)
    for peer in routed.peers:
        peer.leave()
    assert routed.is_empty()
    assert not realm.realm.sessions_by_authid
