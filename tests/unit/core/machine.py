"""The whole router and the naive model side by side: who joins, how stores answer, and what is compared."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from unit.core import consistency
from unit.core import routed as world
from unit.core.model import Model
from unit.core.model_calls import CALLS, INBOX
from unit.core.model_peers import ModelPeer
from unit.core.model_procedures import TESTAMENTS
from unit.core.model_registrations import REGISTRATIONS
from unit.core.model_rights import CACHE_SECONDS
from unit.core.model_sessions import JOIN_SECONDS
from unit.core.unification import unify_all

from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.templates import TopicTemplate
from wampgate.composition.procedures import offer_meta_api
from wampgate.core.limits import SessionLimits
from wampgate.core.procedures import Procedures
from wampgate.core.sifting import Sifter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unit.core.model_registrations import ModelCallee

    from wampgate.core.decisions import Action
    from wampgate.wire.messages import Match

    Pattern: TypeAlias = tuple[str, Match]

Pair: TypeAlias = tuple[world.Peer, ModelPeer]

REALMS: Final = ("one", "two")
USERS: Final = ("joe", "ann")
RULES: Final = (
    *(world.rule(role, world.EVERY, "com.", "prefix") for role in ("member", "guest")),
    *(world.rule(role, world.EVERY, "com.closed.", "prefix", allow=False) for role in ("member", "guest")),
    world.rule("backend", world.EVERY, "", "prefix"),
)
ROOM: Final = TopicTemplate.parse("organization.{organization}.room", below=True, actions=world.EVERY[1:])

FEATURES: Final = (
    "callee.call_canceling",
    "callee.progressive_call_results",
    "callee.progressive_call_invocations",
    "callee.call_timeout",
    "callee.registration_revocation",
    "callee.payload_passthru_mode",
    "caller.progressive_call_invocations",
    "caller.payload_passthru_mode",
    "publisher.payload_passthru_mode",
    "subscriber.subscription_revocation",
)
ALL_FEATURES: Final = (1 << len(FEATURES)) - 1

numbers = st.integers(0, 63)
announcements = st.sampled_from((ALL_FEATURES, ALL_FEATURES, 0)) | st.integers(0, ALL_FEATURES)


class MachineRealm(world.RealmUnderTest):
    """A realm with the meta API, small limits, and rooms in which an organization's members may do everything."""

    def __init__(self, name: str) -> None:
        limits = SessionLimits(inbox=INBOX, calls=CALLS, registrations=REGISTRATIONS, testaments=TESTAMENTS)
        super().__init__(name, rules=RULES, cache_seconds=CACHE_SECONDS, limits=limits, authorizer=_with_rooms)

    def build(self, routed: world.Routed) -> None:
        """See :meth:`unit.core.routed.RealmUnderTest.build`."""
        super().build(routed)
        offer_meta_api(Procedures(self.realm, routed.run), self.realm, Sifter(routed.clock))
        self._own = {registration.procedure for registration in self.realm.dealer.registrations}

    def is_empty(self) -> bool:
        """See :meth:`unit.core.routed.RealmUnderTest.is_empty`."""
        registrations = self.realm.dealer.registrations
        inside = {place.session for registration in registrations for place in registration.callees}
        return (
            not self.realm.sessions
            and not self.realm.sessions_by_user
            and len(self.realm.broker) == 0
            and len(self.realm.testaments) == 0
            and {registration.procedure for registration in registrations} == self._own
            and all(not session.invocations and not session.calls for session in inside)
        )


def _with_rooms(authorizer: OrganizationAuthorizer) -> OrganizationAuthorizer:
    return OrganizationAuthorizer(authorizer._rules, authorizer._memberships, templates=[ROOM])


class Machine(RuleBasedStateMachine):
    """Two realms, some users, up to eight peers; the store answers when the machine says so."""

    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(self._chosen)
        self.routed = world.Routed(*(MachineRealm(name) for name in REALMS), guesses=10**9, join_seconds=JOIN_SECONDS)
        self.pairs: list[Pair] = []
        self.called: dict[tuple[world.Peer, int], str] = {}
        self.answers: Counter[tuple[world.Peer, int]] = Counter()

    @initialize(
        members=st.lists(
            st.tuples(st.sampled_from(REALMS), st.sampled_from(USERS), st.sampled_from(("7", "8"))), min_size=1
        ),
        crowd=st.lists(
            st.tuples(
                st.sampled_from(("one", "one", "two")),
                st.sampled_from(("joe", "backend", None, "joe for a while", "ann")),
                announcements,
            ),
            min_size=3,
            max_size=6,
        ),
        slow=st.booleans(),
        listens=st.booleans(),
    )
    def begin(
        self, members: list[tuple[str, str, str]], crowd: list[tuple[str, str | None, int]], slow: bool, listens: bool
    ) -> None:
        """Users, their tokens (one of them short), and some memberships."""
        for name, realm in zip(REALMS, self.routed.realms, strict=True):
            for user in USERS:
                for kind, seconds in (("", None), (" for a while", 7.0 if user == "joe" else 9.0)):
                    ticket = f"{user} of {name}{kind}"
                    realm.memory.add_token(ticket, user, *([] if seconds is None else [seconds]))
                    expires = None if seconds is None else self.model.now + seconds
                    self.model.rights.tokens[name, ticket] = (user, expires)
        for name, user, organization in members:
            self._member(name, user, organization, True)
        # Some are there from the beginning, or many runs would see no one meet anyone.
        for name, who, announced in crowd:
            self.join(name, who, None, announced)
            if listens and who == "backend":
                self.subscribe_as(self.pairs[-1], "", "prefix")
        self.answer_slowly(slow)

    # --- the surroundings ---

    @rule(slow=st.booleans())
    def answer_slowly(self, slow: bool) -> None:
        """The stores answer later from now on, or at once."""
        self.model.rights.slow = slow
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
        ids = self.model.rights.memberships.setdefault((realm, user), set())
        if member:
            memory.add_membership(user, organization)
            ids.add(organization)
        else:
            memory.remove_membership(user, organization)
            ids.discard(organization)

    @rule(down=st.sampled_from((True, False, False)))
    def take_down(self, down: bool) -> None:
        """The stores can't answer for a while."""
        self.model.rights.down = down
        for realm in self.routed.realms:
            (realm.memory.go_down if down else realm.memory.come_back)()

    @precondition(lambda self: self.model.rights.questions)
    @rule(which=numbers)
    def answer(self, which: int) -> None:
        """A store answers one of its questions, whichever."""
        which %= len(self.model.rights.questions)
        self.routed.answer(which)
        self.model.rights.answer(which)
        self.compare()

    @rule(seconds=st.sampled_from((0.5, 1.0, 2.0, 5.0)))
    def pass_time(self, seconds: float) -> None:
        """Time passes, and whatever is due happens when it is due."""
        until = self.model.now + seconds
        while (when := self.routed.deadlines.next()) is not None and when < until:
            self._pass_time_to(when)
        self._pass_time_to(until)

    def _pass_time_to(self, when: float) -> None:
        self.routed.clock.now = when
        self.routed.pass_time(0.0)
        self.model.pass_time_to(when)
        self.compare()

    # --- peers ---

    @precondition(lambda self: sum(model.state != "closed" for _, model in self.pairs) < 8)
    @rule(
        realm=st.sampled_from(REALMS),
        who=st.sampled_from(
            (None, "backend", "backend", "joe", "joe", "ann", "joe for a while", "ann for a while", "x")
        ),
        organization=st.sampled_from((None, None, None, None, "7", "70")),
        announced=announcements,
    )
    def join(self, realm: str, who: str | None, organization: str | None, announced: int) -> None:
        """Somebody comes."""
        user, _, kind = (who or "").partition(" ")
        ticket = {None: None, "backend": "the ticket of backend"}.get(who, f"{user} of {realm}{kind and ' '}{kind}")
        features = frozenset(feature for bit, feature in enumerate(FEATURES) if announced >> bit & 1)
        model = ModelPeer(len(self.pairs), self.model.now, features)
        peer = self.routed.peer()
        self.pairs.append((peer, model))
        authextra = {} if organization is None else {"authextra": {"organization": organization}}
        methods = ["ticket" if ticket else "anonymous"]
        self.say(peer, [1, realm, {"roles": _roles(features), "authmethods": methods, **authextra}])
        if ticket:
            self.say(peer, [5, ticket, {}])
        self.model.sessions.join(model, realm, ticket, organization)
        self.compare()

    def say(self, peer: world.Peer, message: list[Any]) -> None:
        """A peer sends a message."""
        self.routed.receive(peer, json.dumps(message).encode())

    def pick(self, which: int) -> Pair:
        """One of those that are here."""
        here = [pair for pair in self.pairs if pair[1].here]
        return here[which % len(here)]

    def call_as(self, pair: Pair, procedure: str, options: dict[str, Any], args: list[Any]) -> None:
        """CALL, exactly this."""
        peer, model = pair
        peer.request += 1
        self.called[peer, peer.request] = procedure
        self.say(peer, [48, peer.request, options, procedure, args])
        self.model.calls.call(model, peer.request, procedure, options, args)
        self.compare()

    def subscribe_as(self, pair: Pair, topic: str, match: Match, *, get_retained: bool = False) -> None:
        """SUBSCRIBE, exactly this."""
        peer, model = pair
        peer.request += 1
        self.say(peer, [32, peer.request, {"match": match, "get_retained": get_retained}, topic])
        self.model.events.subscribe(model, peer.request, topic, match, get_retained=get_retained)
        self.compare()

    def someone_here(self) -> bool:
        """Whether anyone is here."""
        return any(model.here for _, model in self.pairs)

    def likely(self, which: int, model: ModelPeer, action: Action, one: Pattern, all_of: Sequence[Pattern]) -> Pattern:
        """Of topics or patterns, mostly one that a peer may use: chance alone would see most of it refused."""
        ids = self.model.rights.memberships.get((model.realm, str(model.user)), set())
        may = self.model.rights.may
        allowed = [(topic, match) for topic, match in all_of if may(model, action, topic, match, ids)]
        return allowed[all_of.index(one) % len(allowed)] if allowed and which % 4 else one

    def _chosen(self, free: list[ModelCallee], args: list[Any], needed: frozenset[str]) -> ModelCallee:
        """Whom the router has chosen at random: who was asked; or one who lacks what was needed, if none was."""
        for callee in free:
            (peer,) = [peer for peer, model in self.pairs if model is callee.peer]
            invocation = callee.peer.invocations + 1
            if any((*message[:2], *message[4:]) == (68, invocation, args) for message in peer.messages[peer._read :]):
                self.model.counted["random"] += 1
                return callee
        return next(callee for callee in free if not needed <= callee.peer.features)

    # --- what is compared ---

    def compare(self) -> None:
        """See that each peer was sent what the model says and nothing else, and that the router's tables agree."""
        self.model.procedures.answer()
        self.model.counted["steps"] += 1
        for peer, model in self.pairs:
            heard, expected = peer.heard(), model.expected
            model.expected = []
            unify_all(expected, heard)
            for message in heard:
                if (message[0] == 50 and not message[2].get("progress")) or message[:2] == [8, 48]:
                    self.answers[peer, message[2 if message[0] == 8 else 1]] += 1
            assert model.state in ("closed", "closing") or peer.closed is None
            assert model.here == peer.session.established
        assert [question.subject for question, _ in self.routed.waiting] == [
            subject for subject, _ in self.model.rights.questions
        ]
        self._ids_are_distinct()
        consistency.check(self.routed)

    def _ids_are_distinct(self) -> None:
        for things in (self.model.events.subscriptions, self.model.calls.registrations):
            ids = [(one.realm, one.id.number) for one in things]
            assert len(set(ids)) == len(ids)
        sessions = [model.session.number for _, model in self.pairs if model.session.number is not None]
        assert len(set(sessions)) == len(sessions)

    def teardown(self) -> None:
        """All leave, the last answers come, and nothing is left of anyone but what topics retain."""
        self._each_call_has_ended_once()
        for peer, model in self.pairs:
            peer.leave()
            self.model.leave(model)
            self.compare()
        self.answer_slowly(False)
        while self.model.rights.questions:
            self.answer(0)
        self.pass_time(1000.0)
        assert self.routed.is_empty()
        self._what_is_retained_is_there()
        type(self).counted += self.model.counted

    def _each_call_has_ended_once(self) -> None:
        for peer, model in self.pairs:
            if model.here:
                waiting = {call.request for call in self.model.calls.of(model)}
                waiting |= {entry.request for entry in model.lanes.get(48, [])}
                requests = [request for sender, request in self.called if sender is peer]
                assert all(self.answers[peer, request] == (request not in waiting) for request in requests)
        assert all(count == 1 for count in self.answers.values())

    def _what_is_retained_is_there(self) -> None:
        for name, realm in zip(REALMS, self.routed.realms, strict=True):
            self.join(name, "backend", None, 0)
            peer, model = self.pairs[-1]
            self.subscribe_as((peer, model), "", "prefix", get_retained=True)
            peer.leave()
            self.model.leave(model)
            self.compare()
            retained: Any = realm.realm.broker._retained
            kept = Counter(event.topic for where, event in self.model.events.retained if where == name)
            assert {topic: len(listed) for topic, listed in retained._kept_by_topic.items()} == kept
        assert self.routed.is_empty()


def _roles(features: frozenset[str]) -> dict[str, Any]:
    """HELLO.Details.roles."""
    roles: dict[str, Any] = {role: {"features": {}} for role in world.ROLES}
    for feature in features:
        role, _, name = feature.partition(".")
        roles[role]["features"][name] = True
    return roles
