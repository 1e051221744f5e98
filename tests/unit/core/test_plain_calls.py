"""Calls that go the short way through the dealer are answered as those that go the long one, message for message."""

from __future__ import annotations

import json
import operator
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.routed import ROLES, RealmUnderTest, Routed

from wampgate.core.dealer import Dealer
from wampgate.core.registrations import Registration

if TYPE_CHECKING:
    from unit.core.routed import Peer, Wamp

PEERS: Final = 4

PROCEDURES: Final = (
    "com.example.add",
    "com.example.add",
    "com.example.open.always",
    "com.example.secret.never",
    "com.example.closed.refused",
    "com.example.missing",
    "com.example.pattern.one",
)

FEATURES: Final[tuple[dict[str, bool], ...]] = (
    {},
    {"call_canceling": True, "progressive_call_results": True},
    {"payload_passthru_mode": True, "call_canceling": True},
    {"progressive_call_invocations": True, "call_canceling": True, "call_timeout": True},
)

registering = st.sampled_from(
    [{}, {}, {}, {"disclose_caller": True}, {"invoke": "roundrobin"}, {"concurrency": 1}, {"force_reregister": True}]
)
calling = st.sampled_from([{}, {}, {}, {"disclose_me": True}, {"timeout": 5000}, {"receive_progress": True}, {"x": 1}])
who = st.integers(0, PEERS - 1)
which = st.integers(0, 3)
procedures = st.sampled_from(PROCEDURES)
begun = st.sampled_from(
    [
        [],
        [("register", 0, "com.example.add", {}), ("register", 1, "com.example.open.always", {})],
        [("register", 0, "com.example.add", {"invoke": "roundrobin"}), ("register", 1, "com.example.secret.never", {})],
    ]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("register"), who, procedures, registering),
        st.tuples(st.just("register pattern"), who, st.just("com.example.pattern."), st.just({"match": "prefix"})),
        st.tuples(st.just("unregister"), who, which),
        st.tuples(st.just("call"), who, procedures, calling),
        st.tuples(st.just("call"), who, procedures, calling),
        st.tuples(st.just("answer"), st.just(0)),
        st.tuples(st.just("answer"), which),
        st.tuples(st.just("fail"), which),
        st.tuples(st.just("cancel"), who, which),
        st.tuples(st.just("rejoin"), who),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 6.0])),
    ),
    max_size=40,
)


def said(*message: Any) -> bytes:
    """A message as JSON text."""
    return json.dumps(message).encode()


class World:
    """A router with some peers; what they are sent, with their names instead of their random ids."""

    def __init__(self, counted: Counter[str]) -> None:
        self._realm = RealmUnderTest()
        self.routed = Routed(self._realm)
        self._tokens = [self._realm.add_user(f"user{number}") for number in range(PEERS)]
        self._peers = [self._join(number) for number in range(PEERS)]
        self._registrations: list[list[int]] = [[] for _ in range(PEERS)]
        self._requests: list[list[int]] = [[] for _ in range(PEERS)]
        self._invocations: list[tuple[Peer, int]] = []
        self._counted = counted

    def _join(self, number: int) -> Peer:
        announced = {"features": FEATURES[number]}
        peer = self.routed.peer().join(self._tokens[number], roles={**ROLES, "caller": announced, "callee": announced})
        peer.heard()
        return peer

    def step(self, what: str, *how: Any) -> list[tuple[int, Wamp]]:
        """Do one thing; all that anyone was sent for it."""
        getattr(self, what.partition(" ")[0])(*how)
        heard = [(number, message) for number, peer in enumerate(self._peers) for message in peer.heard()]
        for number, message in heard:
            self._counted[str(message[0])] += 1
            if message[0] == 65:
                self._registrations[number].append(message[2])
            elif message[0] == 68:
                self._invocations.append((self._peers[number], message[1]))
                self._name_caller(message[3])
        return heard

    def _name_caller(self, details: dict[str, Any]) -> None:
        if "caller" in details:
            (number,) = (n for n, peer in enumerate(self._peers) if peer.session.id == details["caller"])
            details["caller"] = f"the session of peer {number}"

    def register(self, number: int, procedure: str, options: dict[str, Any]) -> None:
        self._say(number, 64, options, procedure)

    def unregister(self, number: int, place: int) -> None:
        if place < len(self._registrations[number]):
            self._say(number, 66, self._registrations[number].pop(place))

    def call(self, number: int, procedure: str, options: dict[str, Any]) -> None:
        self._say(number, 48, options, procedure, ["x"])
        self._requests[number].append(self._peers[number].request)

    def _say(self, number: int, code: int, *rest: Any) -> None:
        peer = self._peers[number]
        peer.request += 1
        self.routed.receive(peer, said(code, peer.request, *rest))

    def answer(self, place: int) -> None:
        self._reply(place, lambda invocation: said(70, invocation, {}, ["y"]))

    def fail(self, place: int) -> None:
        self._reply(place, lambda invocation: said(8, 68, invocation, {}, "com.example.failed"))

    def _reply(self, place: int, reply: Any) -> None:
        if place < len(self._invocations):
            peer, invocation = self._invocations.pop(place)
            if peer.closed is None and peer in self._peers:
                self.routed.receive(peer, reply(invocation))

    def cancel(self, number: int, place: int) -> None:
        if place < len(self._requests[number]):
            request = self._requests[number].pop(place)
            self.routed.receive(self._peers[number], said(49, request, {}))

    def rejoin(self, number: int) -> None:
        self._peers[number].leave()
        self._registrations[number].clear()
        self._requests[number].clear()
        self._peers[number] = self._join(number)

    def wait(self, seconds: float) -> None:
        self.routed.pass_time(seconds)

    def end(self) -> bool:
        """Let everyone leave; whether nothing is left."""
        for peer in self._peers:
            peer.leave()
        return bool(self.routed.is_empty())


def played(sequence: list[tuple[Any, ...]], counted: Counter[str]) -> tuple[list[object], bool]:
    """What everyone was sent at each step, and whether nothing was left at the end."""
    world = World(counted)
    sent: list[object] = [world.step(*step) for step in sequence]
    return sent, world.end()


def never_plain() -> Any:
    """Lets no registration know that its calls are plain, so that all go the long way."""
    return mock.patch.object(Registration, "_see_who_is_there")


def test_both_ways_are_one() -> None:
    counted: Counter[str] = Counter()

    @settings(max_examples=10 * settings().max_examples)
    @given(sequence=st.builds(operator.add, begun, steps))
    def both(sequence: list[tuple[Any, ...]]) -> None:
        short = played(sequence, counted)
        with never_plain():
            assert played(sequence, Counter()) == short
        assert short[1]

    both()
    assert counted["50"] > 30
    assert counted["68"] > 100


def test_a_plain_call_takes_the_short_way_and_others_do_not() -> None:
    """The comparison above must not pass because all calls go the same way."""
    with mock.patch.object(Dealer, "_call", autospec=True, side_effect=Dealer._call) as took:
        world = World(Counter())
        world.step("register", 0, "com.example.add", {})
        world.step("call", 1, "com.example.add", {})
        assert took.call_count == 0
        world.step("call", 1, "com.example.add", {"disclose_me": True})
        assert took.call_count == 1
        world.step("register", 0, "com.example.open.always", {})
        world.step("call", 1, "com.example.open.always", {})
        assert took.call_count == 2
        world.step("register", 0, "com.example.add", {"disclose_caller": True})
        world.step("unregister", 0, 0)
        world.step("register", 0, "com.example.add", {"disclose_caller": True})
        world.step("call", 1, "com.example.add", {})
        assert took.call_count == 3
