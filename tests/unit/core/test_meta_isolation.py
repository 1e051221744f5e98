"""Isolation through the meta API, as a property: nobody learns of a session, a count or an event that is not its own.

An oracle of two sentences says who sees whom and who may know of what. All that every
client hears, and all that it is answered, has to be exactly what the oracle says, while
memberships, sessions, subscriptions and registrations come and go, in two realms at once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.profiles import PROFILE
from unit.core.routed import EVERY, Peer, RealmUnderTest, Routed, rule

from wampgate.authorization.standing import Standing
from wampgate.composition.procedures import offer_meta_api
from wampgate.core.procedures import Procedures
from wampgate.core.sifting import Sifter
from wampgate.core.visibility import Visibility

if TYPE_CHECKING:
    from collections.abc import Iterable

EXAMPLES: Final = {"ci": 150, "nightly": 20_000}[PROFILE]

USERS: Final = ("joe", "ann", "eve")
ORGANIZATIONS: Final = ("7", "70")
WHO: Final = (*USERS, "backend", None)
THINGS: Final = (
    ("organization.7", "exact"),
    ("organization.7.", "prefix"),
    ("organization.70", "exact"),
    ("organization.70..x", "wildcard"),
    ("organization.", "prefix"),
    ("com.all", "exact"),
    ("com.", "prefix"),
)
TOPICS: Final = (
    "wamp.session.on_join",
    "wamp.session.on_leave",
    *(f"wamp.subscription.on_{what}" for what in ("create", "subscribe", "unsubscribe", "delete")),
    *(f"wamp.registration.on_{what}" for what in ("create", "register", "unregister", "delete")),
)
RULES: Final = (
    rule("backend", EVERY, "", "prefix"),
    *(rule(role, ("call", "subscribe"), "wamp.", "prefix") for role in ("member", "guest")),
    *(rule(role, EVERY, "com.", "prefix") for role in ("member", "guest")),
)
PROCEDURES: Final = ("com.one", "com.two")
counted: Counter[str] = Counter()

Told = tuple[str, list[Any]]


class Client(Peer):
    """A session that listens to all that the meta API tells."""

    def __init__(self, world: World, who: str | None) -> None:
        super().__init__(world.routed, "127.0.0.1", "")
        self.world = world
        self.who = who
        self.topic_by_subscription: dict[int, str] = {}
        self.due: list[Told] = []
        self._looked_at = 0

    @property
    def id(self) -> int:
        return self.session.id

    def begin(self) -> None:
        """Join, whatever is slow."""
        ticket = {"backend": "the ticket of backend", None: ""}.get(self.who, f"the token of {self.who}")
        method = "ticket" if self.who else "anonymous"
        self.hello(self.world.name, authmethods=[method])
        if self.who:
            self.say(5, ticket, {})
        self.world.answer()

    def listen(self) -> None:
        for topic in TOPICS:
            self.ask(32, {}, topic)
            self.topic_by_subscription[self.messages[-1][2]] = topic
        self._looked_at = len(self.messages)

    def told(self) -> list[Told]:
        """What it was told since one last looked, without times."""
        new, self._looked_at = self.messages[self._looked_at :], len(self.messages)
        return [
            (self.topic_by_subscription[message[1]], [_timeless(arg) for arg in message[4]])
            for message in new
            if message[0] == 36
        ]

    def result(self, procedure: str, *args: Any) -> Any:
        """What a procedure answers, or the error."""
        self.ask(48, {}, procedure, list(args))
        self.world.answer()
        mine = ([50, self.request], [8, 48, self.request])
        (answer,) = [message for message in self.messages if message[:2] == mine[0] or message[:3] == mine[1]]
        return f"({answer[4]})" if answer[0] == 8 else answer[3][0] if len(answer) > 3 else None


def _timeless(value: Any) -> Any:
    return {key: item for key, item in value.items() if key != "created"} if isinstance(value, dict) else value


class World:
    """A realm, and what is true of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.under_test = RealmUnderTest(name, rules=RULES)
        self.roles: dict[str, set[str]] = {user: set() for user in USERS}
        self.clients: list[Client] = []
        self.held: dict[tuple[str, str], list[Client]] = {}
        self.answering: dict[str, list[Client]] = {}
        self.ids: dict[Any, int] = {}

    def begin(self, routed: Routed) -> None:
        self.routed = routed
        realm, under_test = self.under_test.realm, self.under_test
        standing = Standing(
            realm, routed.router, under_test.store, under_test.memberships, now=routed.clock, run=routed.run
        )
        realm.visibility = Visibility(standing.organizations_of)
        offer_meta_api(Procedures(realm, routed.run), realm, Sifter(routed.clock))
        for user in USERS:
            under_test.memory.add_token(f"the token of {user}", user)

    def answer(self) -> None:
        """The store answers all that it was asked."""
        while self.routed.waiting:
            self.routed.answer()

    # --- the oracle ---

    def sees(self, viewer: Client, other: Client) -> bool:
        """Backends see all, users those they share an organization with and themselves, guests themselves."""
        if viewer is other or viewer.who == "backend":
            return True
        if viewer.who is None or other.who in (None, "backend"):
            return False
        return viewer.who == other.who or bool(self.roles[viewer.who] & self.roles[str(other.who)])

    def may(self, viewer: Client, thing: tuple[str, str]) -> bool:
        """Whether someone may know of a topic or procedure: whether it may use it."""
        text, _ = thing
        if viewer.who == "backend" or text.startswith("com."):
            return True
        return text.split(".")[1] in self.roles.get(str(viewer.who), ())

    def tell(self, topic: str, about: Client, args: list[Any], thing: tuple[str, str] | None = None) -> None:
        """Something has happened; whoever is here and may know of it hears it."""
        for viewer in self.clients:
            if self.sees(viewer, about) and (thing is None or self.may(viewer, thing)):
                viewer.due.append((topic, args))

    # --- what happens ---

    def join(self, who: str | None) -> None:
        client = Client(self, who)
        client.begin()
        principal = client.session.principal
        details = {
            "session": client.id,
            "authid": principal.authid,
            "authrole": principal.authrole,
            "authmethod": principal.authmethod,
            "authprovider": principal.authprovider,
            "transport": {"secure": False},
        }
        self.tell("wamp.session.on_join", client, [details])
        client.listen()
        self.clients.append(client)

    def leave(self, client: Client) -> None:
        self.clients.remove(client)
        for thing in [thing for thing, holders in self.held.items() if client in holders]:
            self.dropped(client, thing)
        for procedure in [procedure for procedure, callees in self.answering.items() if client in callees]:
            self.unregistered(client, procedure)
        self.tell(
            "wamp.session.on_leave",
            client,
            [client.id, client.session.principal.authid, client.session.principal.authrole],
        )
        client.leave()
        self.answer()

    def subscribe(self, client: Client, thing: tuple[str, str]) -> None:
        client.ask(32, {"match": thing[1]}, thing[0])
        self.answer()
        answer = next(message for message in reversed(client.messages) if message[0] in (33, 8))
        if answer[0] == 8:
            assert not self.may(client, thing)
            counted["refused"] += 1
            return
        assert self.may(client, thing)
        holders = self.held.setdefault(thing, [])
        if client in holders:
            return
        self.ids[thing] = answer[2]
        if not holders:
            details = {"id": answer[2], "uri": thing[0], "match": thing[1]}
            self.tell("wamp.subscription.on_create", client, [client.id, details], thing)
        holders.append(client)
        self.tell("wamp.subscription.on_subscribe", client, [client.id, answer[2]], thing)

    def unsubscribe(self, client: Client, thing: tuple[str, str]) -> None:
        if client in self.held.get(thing, []):
            self.dropped(client, thing)
            client.ask(34, self.ids[thing])
            self.answer()

    def dropped(self, client: Client, thing: tuple[str, str]) -> None:
        self.held[thing].remove(client)
        self.tell("wamp.subscription.on_unsubscribe", client, [client.id, self.ids[thing]], thing)
        if not self.held[thing]:
            del self.held[thing]
            self.tell("wamp.subscription.on_delete", client, [client.id, self.ids[thing]], thing)

    def register(self, client: Client, procedure: str) -> None:
        client.ask(64, {"invoke": "random"}, procedure)
        answer = next(message for message in reversed(client.messages) if message[0] in (65, 8))
        self.ids[procedure] = answer[2]
        callees, thing = self.answering.setdefault(procedure, []), (procedure, "exact")
        if client in callees:
            return
        if not callees:
            details = {"id": answer[2], "uri": procedure, "match": "exact", "invoke": "random"}
            self.tell("wamp.registration.on_create", client, [client.id, details], thing)
        callees.append(client)
        self.tell("wamp.registration.on_register", client, [client.id, answer[2]], thing)

    def unregistered(self, client: Client, procedure: str) -> None:
        callees, thing = self.answering[procedure], (procedure, "exact")
        callees.remove(client)
        self.tell("wamp.registration.on_unregister", client, [client.id, self.ids[procedure]], thing)
        if not callees:
            del self.answering[procedure]
            self.tell("wamp.registration.on_delete", client, [client.id, self.ids[procedure]], thing)

    def change(self, user: str, organization: str, member: bool) -> None:
        """A membership comes or goes, and with it what the user's sessions held."""
        memory = self.under_test.memory
        (self.roles[user].add if member else self.roles[user].discard)(organization)
        for client in [client for client in self.clients if client.who == user]:
            for thing in [thing for thing, holders in self.held.items() if client in holders]:
                if not self.may(client, thing):
                    self.dropped(client, thing)
        (memory.add_membership if member else memory.remove_membership)(user, organization)
        self.answer()

    # --- what has to be ---

    def check(self) -> None:
        """Everyone was told what it may know, and nothing else; and is answered likewise."""
        for client in self.clients:
            told = client.told()
            assert _sorted(told) == _sorted(client.due), (self.name, client.who)
            client.due.clear()
            counted["told"] += len(told)

    def check_answers(self, client: Client) -> None:
        seen = {other.id for other in self.clients if self.sees(client, other)}
        assert set(client.result("wamp.session.list")) == seen
        assert client.result("wamp.session.count") == len(seen)
        for other in self.clients:
            answer = client.result("wamp.session.get", other.id)
            assert (answer == "(wamp.error.no_such_session)") == (other.id not in seen)
            counted["hidden"] += other.id not in seen
        things = {thing: holders for thing, holders in self.held.items() if self.may(client, thing)}
        listed = client.result("wamp.subscription.list")
        own = set(client.topic_by_subscription)
        assert {number for ids in listed.values() for number in ids} - own == {self.ids[thing] for thing in things}
        for thing in self.held:
            answer = client.result("wamp.subscription.list_subscribers", self.ids[thing])
            if thing in things:
                assert set(answer) == {holder.id for holder in things[thing]} & seen
                assert client.result("wamp.subscription.count_subscribers", self.ids[thing]) == len(answer)
            else:
                assert answer == "(wamp.error.no_such_subscription)"
        for procedure, callees in self.answering.items():
            answer = client.result("wamp.registration.list_callees", self.ids[procedure])
            assert set(answer) == {callee.id for callee in callees} & seen
            assert client.result("wamp.registration.count_callees", self.ids[procedure]) == len(answer)


def _sorted(told: Iterable[Told]) -> list[str]:
    return sorted(map(repr, told))


number = st.integers(0, 9)
WHAT: Final = (
    *("join",) * 3,
    *("subscribe",) * 5,
    *("member",) * 3,
    *("leave", "unsubscribe", "register", "ask", "slow", "time", "no member"),
)
steps = st.lists(st.tuples(st.sampled_from(WHAT), number, number, st.booleans()), min_size=10, max_size=40)


def play(sequence: Iterable[tuple[str, int, int, bool]]) -> None:
    """Take the steps in one of two realms each; look at both after each one."""
    worlds = [World("one"), World("two")]
    routed = Routed(*(world.under_test for world in worlds), join_seconds=1e6)
    for world in worlds:
        world.begin(routed)
        for user in ("joe", "ann"):
            world.change(user, "7", member=True)
        for who in (*USERS, "backend", None):
            world.join(who)
            world.check()
    for what, a, b, first in sequence:
        world = worlds[0 if first else 1]
        _step(world, what, a, b)
        for other in worlds:
            other.check()
    for world in worlds:
        for client in world.clients:
            world.check_answers(client)


def _step(world: World, what: str, a: int, b: int) -> None:
    counted[what] += 1
    client = world.clients[a % len(world.clients)] if world.clients else None
    if what == "join" and len(world.clients) < 9:
        world.join(WHO[a % len(WHO)])
    elif what in ("member", "no member"):
        world.change(USERS[a % 3], ORGANIZATIONS[b % 2], member=what == "member")
    elif what == "slow":
        world.under_test.store.slow = not world.under_test.store.slow
    elif what == "time":
        # What is known of memberships is too old now: each decision has to wait for the store.
        world.routed.pass_time(6)
    elif client is not None and what == "ask":
        world.check_answers(client)
    elif client is not None and what == "leave":
        world.leave(client)
    elif client is not None and what == "subscribe":
        world.subscribe(client, THINGS[b % len(THINGS)])
    elif client is not None and what == "unsubscribe":
        world.unsubscribe(client, THINGS[b % len(THINGS)])
    elif client is not None and what == "register":
        world.register(client, PROCEDURES[b % 2])


def test_nobody_learns_of_what_is_not_its_own() -> None:
    counted.clear()

    @settings(max_examples=EXAMPLES)
    @given(sequence=steps)
    def isolated(sequence: list[tuple[str, int, int, bool]]) -> None:
        play(sequence)

    isolated()
    for what in ("told", "hidden", "refused", "slow", "time", "leave", "no member"):
        assert counted[what] > EXAMPLES // 10, counted
