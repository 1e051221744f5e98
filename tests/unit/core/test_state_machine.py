"""A whole router against a naive model, step by step: each peer is sent what the model says, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from unit.core import routed as world
from unit.core.model import CACHE_SECONDS, JOIN_SECONDS, Model, ModelPeer, Together
from unit.core.profiles import PROFILE
from unit.core.test_matching import matches
from unit.core.unification import unify

from wampgate.core.router import GOODBYE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.wire.messages import Match

REALMS: Final = ("one", "two")
USERS: Final = ("joe", "ann")
EVERY: Final = world.EVERY
RULES: Final = (
    *(world.rule(role, EVERY, "com.", "prefix") for role in ("member", "guest")),
    *(world.rule(role, EVERY, "com.closed.", "prefix", allow=False) for role in ("member", "guest")),
    world.rule("backend", EVERY, "", "prefix"),
)

TOPICS: Final = (
    "organization.7",
    "organization.7.news",
    "organization.70",
    "organization.8.news",
    "com.a",
    "com.a.news",
    "com.closed.a",
    "wamp.a",
)
EXACT: Final[list[tuple[str, Match]]] = [(topic, "exact") for topic in TOPICS]
PATTERNS: Final[tuple[tuple[str, Match], ...]] = (
    *EXACT,
    *(("organization.7", "exact"), ("organization.7.news", "exact"), ("com.a", "exact")),
    ("organization.7.", "prefix"),
    ("organization.7.", "prefix"),
    ("organization.7.", "wildcard"),
    ("organization.7", "prefix"),
    ("organization.", "prefix"),
    ("organization..news", "wildcard"),
    ("organization.", "wildcard"),
    ("com.a", "prefix"),
    ("com.", "wildcard"),
    ("com.", "prefix"),
    ("com..a", "wildcard"),
    ("", "prefix"),
)
BUSTLE: Final = ("subscribe", "publish", "publish", "register", "call", "yield", "answer", "unsubscribe", "outage")
PROCEDURES: Final = ("com.a", "com.a.news", "com.closed.a", "wampgate.a")

numbers = st.integers(0, 63)
session_lists = st.lists(numbers, max_size=2)


class RouterMachine(RuleBasedStateMachine):
    """Two realms, some users, up to eight peers; the store answers when the machine says so."""

    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.routed = world.Routed(
            *(world.RealmUnderTest(name, rules=RULES, cache_seconds=CACHE_SECONDS) for name in REALMS),
            guesses=10**9,
            join_seconds=JOIN_SECONDS,
        )
        self.pairs: list[tuple[world.Peer, ModelPeer]] = []
        self.call_requests: list[tuple[world.Peer, int]] = []

    @initialize(
        members=st.lists(
            st.tuples(st.sampled_from(REALMS), st.sampled_from(USERS), st.sampled_from(("7", "8"))), min_size=1
        ),
        crowd=st.lists(
            st.tuples(
                st.sampled_from(("one", "one", "two")),
                st.sampled_from(("joe", "backend", None, "joe for a while", "ann")),
            ),
            min_size=3,
            max_size=6,
        ),
        slow=st.booleans(),
    )
    def begin(self, members: list[tuple[str, str, str]], crowd: list[tuple[str, str | None]], slow: bool) -> None:
        """Users, their tokens (one of them short), and some memberships."""
        for name, realm in zip(REALMS, self.routed.realms, strict=True):
            for user in USERS:
                for kind, seconds in (("", None), (" for a while", 7.0 if user == "joe" else 9.0)):
                    ticket = f"{user} of {name}{kind}"
                    realm.memory.add_token(ticket, user, *([] if seconds is None else [seconds]))
                    self.model.tokens[name, ticket] = (user, None if seconds is None else self.model.now + seconds)
        for name, user, organization in members:
            self._member(name, user, organization, True)
        # Some are there from the beginning, or many runs would see no one meet anyone.
        for name, who in crowd:
            self.join(name, who, None)
        self.answer_slowly(slow)

    # --- the surroundings ---

    @rule(slow=st.booleans())
    def answer_slowly(self, slow: bool) -> None:
        """The stores answer later from now on, or at once."""
        self.model.slow = slow
        for realm in self.routed.realms:
            realm.store.slow = slow

    @rule(
        realm=st.sampled_from(REALMS),
        user=st.sampled_from(USERS),
        organization=st.sampled_from(("7", "70", "8")),
        member=st.booleans(),
    )
    def change_membership(self, realm: str, user: str, organization: str, member: bool) -> None:
        """Someone enters or leaves an organization."""
        self._member(realm, user, organization, member)

    def _member(self, realm: str, user: str, organization: str, member: bool) -> None:
        memory = self.routed.realms[REALMS.index(realm)].memory
        ids = self.model.memberships.setdefault((realm, user), set())
        if member:
            memory.add_membership(user, organization)
            ids.add(organization)
        else:
            memory.remove_membership(user, organization)
            ids.discard(organization)

    @rule(down=st.sampled_from((True, False, False)))
    def take_down(self, down: bool) -> None:
        """The stores can't answer for a while."""
        self.model.down = down
        for realm in self.routed.realms:
            (realm.memory.go_down if down else realm.memory.come_back)()

    @precondition(lambda self: self.model.questions)
    @rule(which=numbers)
    def answer(self, which: int) -> None:
        """A store answers one of its questions, whichever."""
        which %= len(self.model.questions)
        assert [question.subject for question, _ in self.routed.waiting] == [
            subject for subject, _ in self.model.questions
        ]
        self.model.answer(which)
        self.routed.answer(which)
        self._compare()

    @rule(seconds=st.sampled_from((1.0, 2.0, 5.0)))
    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.model.pass_time(seconds)
        self.routed.pass_time(seconds)
        self._compare()

    # --- peers ---

    @precondition(lambda self: sum(model.state != "closed" for _, model in self.pairs) < 8)
    @rule(
        realm=st.sampled_from(REALMS),
        who=st.sampled_from(
            (None, "backend", "backend", "joe", "joe", "ann", "joe for a while", "ann for a while", "x")
        ),
        organization=st.sampled_from((None, None, None, None, "7", "70")),
    )
    def join(self, realm: str, who: str | None, organization: str | None) -> None:
        """Somebody comes."""
        user, _, kind = (who or "").partition(" ")
        ticket = {None: None, "backend": "the ticket of backend"}.get(who, f"{user} of {realm}{kind and ' '}{kind}")
        model = ModelPeer(len(self.pairs), self.model.now)
        peer = self.routed.peer()
        self.pairs.append((peer, model))
        self.model.join(model, realm, ticket, organization)
        authextra = {} if organization is None else {"authextra": {"organization": organization}}
        self._say(
            peer, [1, realm, {"roles": world.ROLES, "authmethods": ["ticket" if ticket else "anonymous"], **authextra}]
        )
        if ticket:
            self._say(peer, [5, ticket, {}])
        self._compare()

    def _say(self, peer: world.Peer, message: list[Any]) -> None:
        self.routed.receive(peer, json.dumps(message).encode())

    def _pick(self, which: int) -> tuple[world.Peer, ModelPeer]:
        here = [pair for pair in self.pairs if pair[1].here]
        return here[which % len(here)]

    @precondition(lambda self: self._someone_here())
    @rule(which=numbers, pattern=st.sampled_from(PATTERNS))
    def subscribe(self, which: int, pattern: tuple[str, Match]) -> None:
        """SUBSCRIBE; users do it more often than others."""
        users = [pair for pair in self.pairs if pair[1].here and pair[1].user]
        peer, model = users[which % len(users)] if users and which % 2 else self._pick(which)
        ids = self.model.memberships.get((model.realm, str(model.user)), set())
        likely = [one for one in PATTERNS if self.model.may(model, "subscribe", *one, ids)]
        if likely and which % 4:
            pattern = likely[PATTERNS.index(pattern) % len(likely)]
        peer.request += 1
        self.model.subscribe(model, peer.request, *pattern)
        self._say(peer, [32, peer.request, {"match": pattern[1]}, pattern[0]])
        self._compare()

    @precondition(lambda self: self.model.subscriptions and self._someone_here())
    @rule(which=numbers, subscription=numbers)
    def unsubscribe(self, which: int, subscription: int) -> None:
        """UNSUBSCRIBE, from one's own or from another's."""
        peer, model = self._pick(which)
        own = [one for one in self.model.subscriptions if model in one.peers] or self.model.subscriptions
        number = own[subscription % len(own)].id.number if subscription % 4 else subscription + 1
        assert number is not None
        peer.request += 1
        self.model.unsubscribe(model, peer.request, number)
        self._say(peer, [34, peer.request, number])
        self._compare()

    @precondition(lambda self: self._someone_here())
    @rule(
        which=numbers,
        topic=st.sampled_from(TOPICS),
        options=st.fixed_dictionaries(
            {},
            optional={
                "acknowledge": st.booleans(),
                "exclude_me": st.booleans(),
                "disclose_me": st.booleans(),
                "exclude_authrole": st.lists(st.sampled_from(("member", "guest", "backend")), max_size=1),
            },
        ),
        eligible=st.none() | st.none() | session_lists,
        exclude=st.none() | session_lists,
        authids=st.none() | st.none() | st.lists(st.sampled_from((*USERS, "backend")), max_size=2),
        args=st.lists(numbers, max_size=1),
    )
    def publish(  # noqa: PLR0917 - Hypothesis names them
        self,
        which: int,
        topic: str,
        options: dict[str, Any],
        eligible: list[int] | None,
        exclude: list[int] | None,
        authids: list[str] | None,
        args: list[int],
    ) -> None:
        """PUBLISH; the backend may do it everywhere."""
        backends = [pair for pair in self.pairs if pair[1].here and pair[1].role == "backend"]
        peer, model = backends[which % len(backends)] if backends and which % 2 else self._pick(which)
        # Chance alone would seldom publish what someone has subscribed to.
        heard = [
            uri
            for uri in TOPICS
            if any(one.realm == model.realm and matches(one.topic, one.match, uri) for one in self.model.subscriptions)
        ]
        if heard and which % 4:
            topic = heard[which % len(heard)]
        if eligible is not None:
            options["eligible"] = [self._pick(number)[1].session.number for number in eligible]
        if exclude is not None:
            options["exclude"] = [self._pick(number)[1].session.number for number in exclude]
        if authids is not None:
            options["eligible_authid"] = authids
        peer.request += 1
        self.model.publish(model, peer.request, topic, options, args)
        self._say(peer, [16, peer.request, options, topic, args])
        self._compare()

    @precondition(lambda self: self._someone_here())
    @rule(which=numbers, procedure=st.sampled_from(PROCEDURES))
    def register(self, which: int, procedure: str) -> None:
        """REGISTER."""
        peer, model = self._pick(which)
        peer.request += 1
        self.model.register(model, peer.request, procedure)
        self._say(peer, [64, peer.request, {}, procedure])
        self._compare()

    @precondition(lambda self: self.model.registrations and self._someone_here())
    @rule(which=numbers, registration=numbers)
    def unregister(self, which: int, registration: int) -> None:
        """UNREGISTER, of one's own or of another's."""
        peer, model = self._pick(which)
        found = list(self.model.registrations.values())
        number = found[registration % len(found)][1].number
        peer.request += 1
        self.model.unregister(model, peer.request, int(number or 0))
        self._say(peer, [66, peer.request, number])
        self._compare()

    @precondition(lambda self: self._someone_here())
    @rule(which=numbers, procedure=st.sampled_from(PROCEDURES), args=st.lists(numbers, max_size=1))
    def call(self, which: int, procedure: str, args: list[int]) -> None:
        """CALL."""
        peer, model = self._pick(which)
        known = [name for realm, name in self.model.registrations if realm == model.realm]
        if known and which % 4:
            procedure = known[which % len(known)]
        peer.request += 1
        self.call_requests.append((peer, peer.request))
        self.model.call(model, peer.request, procedure, args)
        self._say(peer, [48, peer.request, {}, procedure, args])
        self._compare()

    @precondition(lambda self: any(model.here and model.invocations for _, model in self.pairs))
    @rule(which=numbers, invocation=numbers, fails=st.booleans())
    def answer_call(self, which: int, invocation: int, fails: bool) -> None:
        """YIELD or ERROR: to a pending invocation, or once more to one that is over."""
        callees = [pair for pair in self.pairs if pair[1].here and pair[1].invocations]
        peer, model = callees[which % len(callees)]
        pending = [call.invocation for call in self.model.calls if call.callee is model]
        number = (
            pending[invocation % len(pending)] if pending and invocation % 8 else invocation % model.invocations + 1
        )
        if fails:
            self.model.answered(model, number, lambda request: [8, 48, request, {}, "com.a.error", [number]])
            self._say(peer, [8, 68, number, {}, "com.a.error", [number]])
        else:
            self.model.answered(model, number, lambda request: [50, request, {}, [number]])
            self._say(peer, [70, number, {}, [number]])
        self._compare()

    @rule(actions=st.lists(st.tuples(st.sampled_from(BUSTLE), numbers, numbers), min_size=4, max_size=16))
    def bustle(self, actions: list[tuple[str, int, int]]) -> None:
        """Much at once: what takes several messages to happen would else happen seldom."""
        for action, which, what in actions:
            if action == "answer" and self.model.questions:
                self.answer(which)
            elif not self._someone_here():
                return
            elif action == "subscribe":
                self.subscribe(which, PATTERNS[what % len(PATTERNS)])
            elif action == "outage":
                self.take_down(True)
                self.pass_time(CACHE_SECONDS)
                if self._someone_here():
                    self.subscribe(1, ("organization.7.", "prefix"))
                self.take_down(what % 4 == 0)
            elif action == "unsubscribe" and self.model.subscriptions:
                self.unsubscribe(which, what)
            elif action == "publish":
                options = {"acknowledge": bool(what & 1), "exclude_me": bool(what & 2), "disclose_me": bool(what & 4)}
                self.publish(which, TOPICS[what % len(TOPICS)], options, None, None, None, [what])
            elif action == "register":
                self.register(which, PROCEDURES[what % len(PROCEDURES)])
            elif action == "call":
                self.call(which, PROCEDURES[what % len(PROCEDURES)], [what])
            elif action == "yield" and any(model.here and model.invocations for _, model in self.pairs):
                self.answer_call(which, what, bool(what & 1))

    # --- ends ---

    @precondition(lambda self: self._someone_here())
    @rule(which=numbers)
    def say_goodbye(self, which: int) -> None:
        """GOODBYE. Ends are rare, or nothing would live long enough to meet."""
        if which % 4:
            return
        peer, model = self._pick(which)
        model.expected.append([6, {}, "wamp.close.goodbye_and_out"])
        self.model.leave(model)
        self._say(peer, [6, {}, "wamp.close.close_realm"])
        self._compare()

    @precondition(lambda self: any(model.state != "closed" for _, model in self.pairs))
    @rule(which=numbers)
    def lose_connection(self, which: int) -> None:
        """A connection is lost, in whatever state."""
        if which % 4:
            return
        open_pairs = [pair for pair in self.pairs if pair[1].state != "closed"]
        peer, model = open_pairs[which % len(open_pairs)]
        self.model.leave(model)
        peer.leave()
        self._compare()

    @precondition(lambda self: self._someone_here())
    @rule(
        which=numbers,
        message=st.sampled_from(
            (
                [99],
                [1, "one", {"roles": {"caller": {}}}],
                [2, 1, {}],
                [70, 2**53, {}],
                [8, 48, 1, {}, "x.y"],
                [32, 0, {}, "x"],
            )
        ),
    )
    def violate(self, which: int, message: list[Any]) -> None:
        """Somebody breaks the protocol."""
        if which % 4:
            return
        peer, model = self._pick(which)
        self.model.violated(model)
        self._say(peer, message)
        self._compare()

    def _someone_here(self) -> bool:
        return any(model.here for _, model in self.pairs)

    # --- what is compared ---

    def _compare(self) -> None:
        self.model.counted["steps"] += 1
        for peer, model in self.pairs:
            heard, expected = peer.heard(), model.expected
            model.expected = []
            assert len(heard) == sum(len(one) if isinstance(one, Together) else 1 for one in expected), (
                heard,
                expected,
            )
            place = 0
            for one in expected:
                messages = sorted(one, key=lambda event: event[1].number) if isinstance(one, Together) else [one]
                found = heard[place : place + len(messages)]
                if isinstance(one, Together):
                    found = sorted(found, key=lambda event: event[1])
                for mine, theirs in zip(messages, found, strict=True):
                    unify(mine, theirs)
                place += len(messages)
            if model.state == "closing" and self.model.now - (model.expires or 0) >= GOODBYE_SECONDS and peer.closed:
                model.state = "closed"
            assert model.state in ("closed", "closing") or peer.closed is None
        self._ids_are_distinct()

    def _ids_are_distinct(self) -> None:
        for realm in REALMS:
            ids = [one.id.number for one in self.model.subscriptions if one.realm == realm]
            assert len(set(ids)) == len(ids)
            ids = [number.number for (where, _), (_, number) in self.model.registrations.items() if where == realm]
            assert len(set(ids)) == len(ids)
        sessions = [model.session.number for _, model in self.pairs if model.session.number is not None]
        assert len(set(sessions)) == len(sessions)

    def teardown(self) -> None:
        """All leave, the last answers come, and nothing is left of anyone."""
        waited_for = {(peer, request) for peer, request in self.call_requests if peer.session.established}
        for _, model in self.pairs:
            self.model.leave(model)
        callees_first = sorted(self.pairs, key=lambda pair: pair[0].session.registrations is None)
        for peer, _ in callees_first:
            if not peer.session.established:
                waited_for = {one for one in waited_for if one[0] is not peer}
            peer.leave()
            waited_for = {one for one in waited_for if one[0] is not peer}
        while self.routed.waiting:
            self.routed.answer()
        self.routed.pass_time(1000)
        assert self.routed.is_empty()
        assert all(world.holds_nothing(peer.session) for peer, _ in self.pairs)
        for peer, request in self.call_requests:
            answers = [
                message for message in peer.messages if message[:2] == [50, request] or message[:3] == [8, 48, request]
            ]
            assert len(answers) <= 1
        type(self).counted += self.model.counted


EXAMPLES: Final = {"ci": 400, "nightly": 10_000}


def test_the_router_does_what_the_model_does() -> None:
    RouterMachine.counted.clear()
    steps = 100 if PROFILE == "nightly" else 50
    run_state_machine_as_test(
        RouterMachine, settings=settings(max_examples=EXAMPLES[PROFILE], stateful_step_count=steps)
    )
    counted = RouterMachine.counted
    # A run that delivers nothing, or refuses nothing, has tested nothing.
    never = [what for what in _MUST_HAPPEN if not counted[what]]
    assert never == [], counted


_MUST_HAPPEN: Sequence[str] = (
    "joined",
    "join refused",
    "delivered",
    "publish refused",
    "waited",
    "answered",
    "late",
    "expired",
    "wamp.error.not_authorized",
    "wamp.error.authorization_failed",
    "wamp.error.no_such_subscription",
    "wamp.error.no_such_procedure",
    "wamp.error.procedure_already_exists",
    "wamp.error.canceled",
)
