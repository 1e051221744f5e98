"""What is read where only what is wanted is read: nothing is left out and nothing comes twice, whenever it changes."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from wampgate.bridge.dialects.action_cable import ActionCableRule
from wampgate.bridge.dialects.anycable import AnyCableRule
from wampgate.bridge.dialects.laravel import LaravelRule
from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.python_socketio import PythonSocketIoRule
from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.dialects.socketio_adapter import SocketIoAdapterRule
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule
from wampgate.bridge.rules import RedisSubscription, SubscriptionKind
from wampgate.bridge.wanted import LINGER_SECONDS, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.bridge.rules import Rule

EXACT, PATTERN, SHARDED = SubscriptionKind.EXACT, SubscriptionKind.PATTERN, SubscriptionKind.SHARDED


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def wanted(*rules: Rule, everything: bool = False, clock: Clock | None = None) -> Wanted:
    return Wanted(rules, everything=everything, now=clock or Clock(), changed=lambda: None)


ORGANIZATIONS = PlainRule("channel.{organization}", "organization.{organization}")


def test_everything_is_what_the_rules_read() -> None:
    everything = wanted(ORGANIZATIONS, PlainRule("news", "news"), everything=True)
    assert set(everything.subscriptions()) == {RedisSubscription("channel.*", PATTERN), RedisSubscription("news")}


def test_only_what_is_wanted() -> None:
    clock = Clock()
    some = wanted(ORGANIZATIONS, clock=clock)
    assert some.subscriptions() == []
    some.begun("organization.7", "exact")
    some.begun("elsewhere.7", "exact")
    some.begun("organization.a:b", "exact")
    assert some.take_changes() == ([RedisSubscription("channel.7")], [])
    some.ended("organization.7", "exact")
    assert some.take_changes() == ([], [])
    clock.now += LINGER_SECONDS
    assert some.next_expiry() == LINGER_SECONDS
    assert some.take_changes() == ([], [RedisSubscription("channel.7")])
    assert some.next_expiry() is None


def test_who_comes_back_soon_finds_all_as_it_was() -> None:
    clock = Clock()
    some = wanted(ORGANIZATIONS, clock=clock)
    some.begun("organization.7", "exact")
    some.take_changes()
    for _ in range(3):
        some.ended("organization.7", "exact")
        clock.now += LINGER_SECONDS / 2
        some.begun("organization.7", "exact")
        clock.now += LINGER_SECONDS * 2
        assert some.take_changes() == ([], [])


def test_a_pattern_takes_all_of_the_rule_that_it_reaches() -> None:
    some = wanted(ORGANIZATIONS, PlainRule("user.{user}", "user.{user}"))
    for below in ("organization.7.", "other."):
        some.begun(below, "prefix")
        assert some.take_changes() == ([], [])
    some.begun("organization.7", "prefix")
    assert some.take_changes() == ([RedisSubscription("channel.*", PATTERN)], [])
    some.begun("", "prefix")
    assert some.take_changes() == ([RedisSubscription("user.*", PATTERN)], [])


def test_sharded_channels_are_read_one_by_one() -> None:
    told: list[str] = []
    rule = PlainRule("channel.{organization}", "organization.{organization}", sharded=True)
    some = Wanted(
        [rule],
        everything=False,
        now=Clock(),
        changed=lambda: None,
        unreadable=lambda _rule, pattern: told.append(pattern),
    )
    some.begun("organization.7", "exact")
    assert some.take_changes() == ([RedisSubscription("channel.7", SHARDED)], [])
    some.confirmed(RedisSubscription("channel.7", SHARDED), True)
    assert some.rules_for(SHARDED, b"channel.7") == [rule]
    some.begun("organization.", "prefix")
    assert some.take_changes() == ([], [])
    assert told == ["organization."]


def test_sharded_rooms_come_beside_what_all_rooms_share() -> None:
    rule = SocketIoAdapterRule(sharded=True)
    some = wanted(rule)
    some.begun("organization.7", "exact")
    added, _ = some.take_changes()
    for subscription in added:
        some.confirmed(subscription, True)
        assert some.rules_for(SHARDED, subscription.name.encode()) == [rule]
    assert len(added) == 2


DISCONNECTS = RoomOptions(disconnects=True)


@pytest.mark.parametrize(
    ("rule", "controls"),
    [
        (SocketIoEmitterRule(options=DISCONNECTS), [RedisSubscription("socket.io-request#/#")]),
        (SocketIoAdapterRule(options=DISCONNECTS), [RedisSubscription("socket.io-request#/#")]),
        (SocketIoAdapterRule(options=DISCONNECTS, sharded=True), [RedisSubscription("socket.io#/#", SHARDED)]),
        (PythonSocketIoRule(options=DISCONNECTS), [RedisSubscription("socketio")]),
        (AnyCableRule(connection="{user}"), [RedisSubscription("__anycable__")]),
        (ActionCableRule(connection="{user}"), [RedisSubscription("action_cable/?*", PATTERN)]),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_disconnects_are_read_whatever_is_wanted(rule: Rule, controls: list[RedisSubscription]) -> None:
    assert set(controls) <= set(rule.subscriptions())
    clock = Clock()
    some = wanted(rule, clock=clock)
    assert some.subscriptions() == controls
    for subscription in controls:
        some.confirmed(subscription, True)
        assert some.rules_for(subscription.kind, subscription.name.encode()) == [rule]
    some.begun("organization.7", "exact")
    some.ended("organization.7", "exact")
    some.take_changes()
    clock.now += 2 * LINGER_SECONDS
    assert set(controls).isdisjoint(some.take_changes()[1])


@pytest.mark.parametrize(
    "rule", [ORGANIZATIONS, SocketIoEmitterRule(), SocketIoAdapterRule(), LaravelRule(), PythonSocketIoRule()]
)
def test_without_disconnects_nothing_is_read_before_it_is_wanted(rule: Rule) -> None:
    assert wanted(rule).subscriptions() == []


def test_names_that_are_no_text() -> None:
    some = wanted(ORGANIZATIONS, everything=True)
    assert some.rules_for(EXACT, b"\xff\xfe") == []
    some.confirmed(RedisSubscription(b"\xff".decode(errors="surrogateescape")), True)


class Redis:
    """One connection's view of Redis: commands go in, confirmations and messages come out, each in order."""

    def __init__(self) -> None:
        self.commands: list[tuple[bool, RedisSubscription]] = []
        self.sent: list[tuple[Any, ...]] = []
        self.subscribed: set[RedisSubscription] = set()
        self.done = 0

    def step(self) -> None:
        begins, subscription = self.commands.pop(0)
        self.done += 1
        (self.subscribed.add if begins else self.subscribed.discard)(subscription)
        self.sent.append(("confirmed", subscription, begins))

    def publish(self, channel: str, message: int) -> None:
        for subscription in sorted(self.subscribed):
            name, kind = subscription
            if name == channel if kind == EXACT else fnmatchcase(channel, name):
                self.sent.append(("message", kind, name.encode(), message))


RULES: tuple[Rule, ...] = (
    ORGANIZATIONS,
    PlainRule("channel.{organization}", "copy.{organization}"),
    PlainRule("channel.1", "first"),
    SocketIoEmitterRule(),
)
TOPICS = ["organization.1", "organization.2", "copy.1", "copy.2", "first"]
PATTERNS = ["organization.", "copy.", "f", ""]
CHANNELS = ["channel.1", "channel.2", "socket.io#emitter", "socket.io#/#", "socket.io#/#organization.1#"]
INTERESTS = [*((topic, "exact") for topic in TOPICS), *((pattern, "prefix") for pattern in PATTERNS)]


def program(chance: Random) -> Iterator[tuple[str, Any]]:
    """What happens, in an order in which anything may come between anything."""
    for action in chance.choices(
        ["subscribe", "unsubscribe", "wait", "publish", "follow", "step", "read"], [3, 3, 2, 4, 4, 6, 12], k=400
    ):
        match action:
            case "subscribe":
                yield action, chance.choice(INTERESTS)
            case "unsubscribe":
                yield action, chance.randrange(4)
            case "wait":
                yield action, chance.choice([1.0, LINGER_SECONDS])
            case "publish":
                yield action, chance.choice(CHANNELS)
            case _:
                yield action, None


@pytest.mark.parametrize("seed", range(150))
def test_every_message_once(seed: int) -> None:
    """Whoever's subscription was in force when a message was published, and is there to receive it, gets it once."""
    clock = Clock()
    some = wanted(*RULES, clock=clock)
    redis = Redis()
    subscribed: list[tuple[str, Any]] = []
    # By message: the interests that Redis knew of when it was published, and that have stayed since.
    owed: dict[int, set[tuple[str, Any]]] = {}
    channels: dict[int, str] = {}
    some.subscriptions()

    # By interest: how many commands Redis has to have carried out before it counts.
    asked: dict[tuple[str, Any], int] = {}

    def read() -> None:
        kind, *what = redis.sent.pop(0)
        if kind == "confirmed":
            some.confirmed(*what)
            return
        subscription_kind, name, number = what
        for rule in some.rules_for(subscription_kind, name):
            taken[number][RULES.index(rule)] += 1

    def follow() -> None:
        added, removed = some.take_changes()
        redis.commands += [(True, subscription) for subscription in added]
        for interest in subscribed:
            asked.setdefault(interest, redis.done + len(redis.commands))
        redis.commands += [(False, subscription) for subscription in removed]

    taken: dict[int, Counter[int]] = {}
    for action, what in program(Random(seed)):
        if action == "subscribe" and what not in subscribed:
            subscribed.append(what)
            some.begun(*what)
        elif action == "unsubscribe" and what < len(subscribed):
            gone = subscribed.pop(what)
            some.ended(*gone)
            asked.pop(gone, None)
            for interests in owed.values():
                interests.discard(gone)
        elif action == "wait":
            clock.now += what
        elif action == "publish":
            number = len(owed)
            owed[number] = {interest for interest in subscribed if asked.get(interest, 10**9) <= redis.done}
            channels[number] = what
            taken[number] = Counter()
            redis.publish(what, number)
        elif action == "follow":
            follow()
        elif action == "step" and redis.commands:
            redis.step()
        elif action == "read" and redis.sent:
            read()
    while redis.commands:
        redis.step()
    while redis.sent:
        read()
    for number, interests in owed.items():
        for index, rule in enumerate(RULES):
            assert taken[number][index] <= 1, (number, channels[number], rule.label)
            if _is_due(some, index, channels[number], interests):
                assert taken[number][index] == 1, (number, channels[number], rule.label)


def _is_due(some: Wanted, index: int, channel: str, interests: set[tuple[str, Any]]) -> bool:
    """Whether a rule's reading for one of these interests includes a channel."""
    return any(
        name == channel if kind == EXACT else fnmatchcase(channel, name)
        for interest in interests
        for its_index, subscriptions in some._needs(*interest)
        if its_index == index
        for name, kind in subscriptions
    )
