"""Isolation as a property: whatever happens to members, tokens and stores, each gets what is its own and nothing else.

An oracle that knows only the specification's matching and a sentence on
memberships says what each session may have. It is asked for every grant, every
refusal, every revocation and every event of a whole router, whose deliveries
wait in the real turn and in sockets that are full now and then.
"""

from __future__ import annotations

import inspect
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.isolation import (
    ORGANIZATIONS,
    PATTERNS,
    REALMS,
    TOPICS,
    USERS,
    Client,
    Isolated,
    World,
    counted,
)
from unit.core.profiles import PROFILE

from wampgate.procedures import explain, kill, organizations, refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wampgate.wire.messages import Match

EXAMPLES: Final = {"ci": 1_000, "nightly": 100_000}[PROFILE]

BEGINNING: Final = (("joe", "7", "admin"), ("joe", "70", ""), ("ann", "7", ""), ("ann", "acme", ""))
SUBSCRIBED: Final[tuple[tuple[str, int, tuple[tuple[str, Match], ...]], ...]] = (
    ("joe", 0, (("organization.7.", "prefix"), ("organization.7", "exact"), ("organization.70.news", "exact"))),
    ("joe", 1, (("organization.7.news", "exact"), ("organization.7.", "wildcard"), ("user.joe", "exact"))),
    ("ann", 1, (("organization.7.news", "exact"), ("organization.acme.", "prefix"), ("organization.7", "exact"))),
)

Step = tuple[str, int, int, int]
number = st.integers(0, 11)
WHAT: Final = (
    *("join",) * 3,
    *("subscribe",) * 6,
    *("publish",) * 5,
    *("grant",) * 3,
    *("revoke",) * 3,
    *(
        "burst",
        "congested",
        "fill",
        "drain",
        "leave",
        "unsubscribe",
        "refresh",
        "kill",
        "explain",
        "organizations",
        "weak",
    ),
    *("drop token", "add token", "slow", "read", "answer", "deaf", "down", "outage", "settle", "settle", "time"),
)
steps = st.lists(st.tuples(st.sampled_from(WHAT), number, number, number), min_size=20, max_size=60)


class Run:
    """One example: two realms with the same users and organizations, and what happens to them."""

    def __init__(self) -> None:
        self.worlds = [World(name) for name in REALMS]
        self.routed = Isolated(*(world.under_test for world in self.worlds))
        for world in self.worlds:
            world.begin(self.routed)
            for number in range(len(USERS)):
                self.add_token(world, number, number, 0)
            self.add_token(world, 0, 1, 0)
        # So that each example has something to lose.
        for world in self.worlds:
            for user, organization, role in BEGINNING:
                world.change(user, organization, role)
            for topic in TOPICS:
                world.publish(topic, retain=True)
            for user, token, patterns in SUBSCRIBED:
                world.clients.append(Client(self.routed, world, user, f"token {token} of {user}"))
                world.clients[-1].start()
                world.look()
                for topic, match in patterns:
                    world.clients[-1].order(32, {"match": match}, topic, asked=("subscribe", topic, match))
            world.look()

    def add_token(self, world: World, a: int, b: int, _c: int) -> None:
        user = USERS[a % 3]
        token = f"token {b % 2} of {user}"
        world.tokens.add(token)
        world.under_test.memory.add_token(token, user)

    def play(self, sequence: Iterable[Step]) -> None:
        """Take the steps, look after each one, and settle in the end."""
        for what, a, b, c in sequence:
            world = self.worlds[c % 4 // 3]
            step: Callable[[World, int, int, int], None] = getattr(self, what.replace(" ", "_"))
            step(world, a, b, c)
            self.routed.flush()
            for other in self.worlds:
                other.look()
        for world in self.worlds:
            for client in world.clients:
                self._drain(client)
            world.settle()
            for topic in TOPICS:
                world.publish(topic)
                world.look()

    def client(self, world: World, a: int) -> Client | None:
        free = [client for client in world.clients if client.here and not client.full]
        return free[a % len(free)] if free else None

    # --- the steps ---

    def join(self, world: World, a: int, b: int, _c: int) -> None:
        if len(world.clients) < 8:
            user = USERS[a % 3]
            world.clients.append(Client(self.routed, world, user, f"token {b % 2} of {user}"))
            world.clients[-1].start()

    def subscribe(self, world: World, a: int, b: int, c: int) -> None:
        client = self.client(world, a)
        if client is not None:
            topic, match = PATTERNS[(b * 12 + c) % len(PATTERNS)]
            options = {"match": match, "get_retained": a % 2 == 1}
            client.order(32, options, topic, asked=("subscribe", topic, match))

    def unsubscribe(self, world: World, a: int, b: int, _c: int) -> None:
        client = self.client(world, a)
        if client is not None and client.held:
            subscription = sorted(client.held)[b % len(client.held)]
            del client.held[subscription]
            client.order(34, subscription)

    def leave(self, world: World, a: int, _b: int, _c: int) -> None:
        if world.clients and a % 3 == 0:
            client = world.clients.pop(a % len(world.clients))
            client.leave()

    def publish(self, world: World, a: int, b: int, _c: int) -> None:
        world.publish(TOPICS[a % len(TOPICS)], retain=b % 2 == 1)

    def grant(self, world: World, a: int, b: int, c: int) -> None:
        world.change(USERS[a % 3], ORGANIZATIONS[b % 3], ("", "admin")[c % 2])

    def revoke(self, world: World, a: int, b: int, _c: int) -> None:
        world.change(USERS[a % 3], ORGANIZATIONS[b % 3], None)

    def burst(self, world: World, a: int, b: int, c: int) -> None:
        """All within one turn: what was published before a right ended is taken back with it."""
        self.routed.bursting = True
        for topic in TOPICS[a % 3 : a % 3 + 4]:
            world.publish(topic)
        if c % 3 == 0:
            self.drop_token(world, a, b, c)
        else:
            world.change(USERS[a % 3], ORGANIZATIONS[b % 3], None if c % 2 else "")
        world.publish(TOPICS[b % len(TOPICS)])
        self.routed.bursting = False

    def congested(self, world: World, a: int, b: int, c: int) -> None:
        """A socket is full; what waits for it is taken back with the right."""
        client = self.client(world, a)
        if client is not None:
            client.full = True
            for topic in TOPICS[:7]:
                world.publish(topic)
            world.look()
            if c % 3 == 0:
                token = client.token
                world.tokens.discard(token)
                world.under_test.memory.remove_token(token)
            else:
                world.change(client.user, ORGANIZATIONS[b % 3], None)
            self.routed.flush()
            self._drain(client)

    def fill(self, world: World, a: int, _b: int, _c: int) -> None:
        client = self.client(world, a)
        if client is not None:
            client.full = True

    def drain(self, world: World, a: int, _b: int, _c: int) -> None:
        if world.clients:
            self._drain(world.clients[a % len(world.clients)])

    def _drain(self, client: Client) -> None:
        client.full = False
        client.drain()
        client.look()

    def refresh(self, world: World, a: int, b: int, c: int) -> None:
        client = self.client(world, a)
        if client is not None:
            user = client.user if c % 3 else USERS[b % 3]
            token = f"token {b % 2} of {user}"
            client.order(48, {}, refresh.NAME, [token], asked=("refresh", token))

    def kill(self, world: World, a: int, b: int, c: int) -> None:
        user = USERS[a % 3]
        by, value = (
            ("authid", user),
            ("organization", ORGANIZATIONS[b % 3]),
            ("address", f"address of {user}"),
            ("token_hash", sha256(f"token {b % 2} of {user}".encode()).hexdigest()),
        )[b % 4]
        if c % 2:
            world.kill(by, value)

    def explain(self, world: World, a: int, b: int, c: int) -> None:
        topic, match = PATTERNS[(b * 12 + c) % len(PATTERNS)]
        question = {"authid": USERS[a % 3], "action": "subscribe", "uri": topic, "match": match}
        world.backend.order(48, {}, explain.NAME, [], question, asked=("explain", USERS[a % 3], topic, match))

    def organizations(self, world: World, a: int, _b: int, _c: int) -> None:
        client = self.client(world, a)
        if client is not None:
            client.order(48, {}, organizations.NAME, asked=("organizations",))

    def weak(self, world: World, a: int, b: int, _c: int) -> None:
        """A member tries what only the backend may; none of it has an effect."""
        client = self.client(world, a)
        if client is None:
            return
        user = USERS[b % 3]
        client.order(48, {}, kill.NAME, [], {"authid": user}, asked=("kill", None))
        client.order(48, {}, explain.NAME, [user, "subscribe", "organization.7"], asked=("explain", user, "", "exact"))
        testament = [TOPICS[b % len(TOPICS)], ["forged"], {}, {"retain": True}]
        client.order(48, {}, "wamp.session.add_testament", testament, asked=("testament",))
        client.order(48, {}, "wampgate.publish", [TOPICS[b % len(TOPICS)], ["forged"]], asked=("publish",))
        client.order(16, {"retain": True}, TOPICS[b % len(TOPICS)], ["forged"])

    def drop_token(self, world: World, a: int, b: int, _c: int) -> None:
        token = f"token {b % 2} of {USERS[a % 3]}"
        world.tokens.discard(token)
        world.under_test.memory.remove_token(token)

    def slow(self, world: World, _a: int, _b: int, _c: int) -> None:
        world.under_test.store.slow = not world.under_test.store.slow

    def read(self, world: World, _a: int, _b: int, _c: int) -> None:
        """The store has read the answers to what it is asked; they arrive later."""
        store = world.under_test.store
        for question, coroutine in self.routed.waiting:
            if _asked(coroutine) is store and not world.went_down:
                store.remember(question)

    def overtaken(self, world: World, a: int, b: int, c: int) -> None:
        """A right ends while an answer from before is on its way to someone who asks for it, or joins."""
        self.routed.pass_time(4)
        world.under_test.store.slow = True
        self.join(world, a, b, c)
        world.look()
        if self.routed.waiting and c % 2:
            self.routed.answer(len(self.routed.waiting) - 1)
        client = self.client(world, a)
        theirs = sorted(world.roles[client.user]) if client is not None else []
        if client is not None and theirs:
            topic = f"organization.{theirs[b % len(theirs)]}"
            client.order(32, {}, topic, asked=("subscribe", topic, "exact"))
        self.read(world, a, b, c)
        if c % 3 == 0:
            self.drop_token(world, a, b, c)
        elif client is not None and theirs:
            world.change(client.user, theirs[b % len(theirs)], None)
        world.under_test.store.slow = False
        while self.routed.waiting:
            self.routed.answer()
        if client is not None and client.session.established and theirs:
            client.order(32, {}, topic, asked=("subscribe", topic, "exact"))

    def answer(self, _world: World, a: int, b: int, _c: int) -> None:
        """A store answers one of its questions, not always the oldest."""
        if self.routed.waiting:
            self.routed.answer(a % len(self.routed.waiting))

    def deaf(self, world: World, _a: int, _b: int, _c: int) -> None:
        world.unsettle(down=False)

    def down(self, world: World, _a: int, _b: int, _c: int) -> None:
        world.unsettle(down=True)

    def outage(self, world: World, a: int, b: int, c: int) -> None:
        """The store is down when someone asks for what was forgotten."""
        world.unsettle(down=True)
        self.routed.pass_time(4)
        self.subscribe(world, a, b, c)

    def settle(self, world: World, _a: int, _b: int, _c: int) -> None:
        world.settle()

    def time(self, _world: World, a: int, _b: int, _c: int) -> None:
        self.routed.pass_time(a % 5)


def _asked(coroutine: Any) -> object:
    """The store that a coroutine waits for."""
    while inspect.iscoroutine(coroutine.cr_await):
        coroutine = coroutine.cr_await
    return coroutine.cr_frame.f_locals["self"]


def test_each_gets_what_is_its_own_and_nothing_else() -> None:
    counted.clear()

    @settings(max_examples=EXAMPLES)
    @given(sequence=steps)
    def isolated(sequence: list[Step]) -> None:
        Run().play(sequence)

    isolated()
    for what in (
        "delivered",
        "refused",
        "revoked",
        "granted",
        "undecided",
        "refresh",
        "refresh refused",
        "kill refused",
        "testament refused",
        "retained",
    ):
        assert counted[what] > EXAMPLES // 200, (what, counted)
    for what in ("wamp.close.killed", "wampgate.close.token_revoked"):
        assert counted[what] > EXAMPLES // 200, (what, counted)
