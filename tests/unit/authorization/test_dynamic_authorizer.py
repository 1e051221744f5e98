"""The dynamic authorizer: asked last, about the one who asks, and no answer of it opens what belongs to others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.asked import Waiting, invocations, invoked, registered
from unit.core.routed import Peer, RealmUnderTest, rule

from wampgate.authorization.dynamic import AuthorizerProcedure, DynamicAuthorizer
from wampgate.authorization.kept_decisions import KeptDecisions, request_of
from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rules
from wampgate.authorization.standing import Standing
from wampgate.authorization.templates import TopicTemplate
from wampgate.core.decisions import Action, Decision, Pending
from wampgate.core.interfaces import Principal
from wampgate.core.local_caller import CALLER, LocalCaller
from wampgate.core.procedures import Procedures
from wampgate.procedures import explain, forget

if TYPE_CHECKING:
    from wampgate.authorization.rules import Rule
    from wampgate.wire.messages import Match

ASK: Final = "com.example.authorize"
EVERY: Final = ("subscribe", "publish", "call", "register")
RULES: Final = (
    rule("backend", ["register"], ASK),
    rule("backend", EVERY, "com.backend.", "prefix"),
    rule("backend", ["call"], forget.NAME),
    rule("backend", ["call"], explain.NAME),
    rule("member", ["subscribe"], "com.static.yes"),
    rule("member", EVERY, "com.static.no.", "prefix", allow=False),
    rule(CALLER.authrole, ["call"], ASK),
)
TEMPLATES: Final = (
    TopicTemplate.parse("organization.{organization}", below=True),
    TopicTemplate.parse("user.{user}", below=True, actions=["subscribe", "register"]),
    TopicTemplate.parse("organization.{organization}.admin", below=True, role="admin"),
)


class Decided:
    """A realm whose members a procedure decides about; it is offered by the static principal "backend"."""

    def __init__(
        self,
        *,
        rules: tuple[Rule, ...] = RULES,
        roles: tuple[str, ...] = ("member",),
        cache_seconds: float = 5.0,
        max_cached: int = 100,
        most: int = 40,
        calls: int = 100,
    ) -> None:
        self._made = (rules, roles, cache_seconds, max_cached, most)
        self.under_test = RealmUnderTest(rules=rules, authorizer=self._wrapped)
        self.routed = Waiting(self.under_test)
        self.realm = self.under_test.realm
        self.caller = LocalCaller(self.realm, self.routed.deadlines, seconds=2.0, limit=calls, waiting=100)
        self.dynamic.bind(roles, self.caller)
        procedures = Procedures(self.realm, self.routed.run)
        procedures.add(forget.NAME, forget.Forget(self.realm, self.dynamic))
        procedures.add(explain.NAME, explain.Explain(self.realm, {}, "member"))

    def _wrapped(self, _: OrganizationAuthorizer) -> DynamicAuthorizer:
        rules, roles, cache_seconds, max_cached, most = self._made
        clock = self.under_test.memberships._now
        self.kept = KeptDecisions(clock, seconds=cache_seconds, limit=max_cached)
        self.procedure = AuthorizerProcedure("realm1", ASK, self.kept, most=most)
        templates = [replace(each, actions=frozenset(EVERY)) for each in TEMPLATES]
        owners = OrganizationAuthorizer(Rules([]), self.under_test.memberships, root=None, templates=templates)
        static = OrganizationAuthorizer(Rules(rules), self.under_test.memberships, root=None, templates=TEMPLATES)
        self.dynamic = DynamicAuthorizer(
            static,
            Rules(rules),
            owners=owners,
            templates=templates,
            procedures=dict.fromkeys(roles, self.procedure),
            deciding=[ASK],
        )
        return self.dynamic

    def backend(self) -> Peer:
        """The backend, which offers the procedure."""
        peer = self.routed.peer().join("the ticket of backend")
        registered(peer, ASK)
        return peer

    def member(self, user: str, *organizations: str) -> Peer:
        """A user of some organizations."""
        return self.routed.peer().join(self.under_test.add_user(user, *organizations))

    def admin(self, user: str, organization: str) -> Peer:
        """A user with the role admin in an organization."""
        token = self.under_test.add_user(user)
        self.under_test.memory.add_membership(user, organization, "admin")
        return self.routed.peer().join(token)

    def records(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.routed.records if name == event]


def subscribe(peer: Peer, topic: str, match: str = "exact") -> list[Any]:
    """Ask for a subscription; the answer, empty while it is being decided."""
    heard = peer.ask(32, {} if match == "exact" else {"match": match}, topic)
    return heard[0] if heard else []


def answer(backend: Peer, *payload: Any) -> list[Any]:
    """Answer the one question that has come; its arguments."""
    question = invoked(backend)
    backend.say(70, question[1], {}, *payload)
    arguments: list[Any] = question[4]
    return arguments


def outcome(peer: Peer) -> str:
    """What came of the one request that waited: "yes" or the error's URI."""
    (message,) = peer.heard()
    return str(message[4]) if message[0] == 8 else "yes"


NOT_AUTHORIZED: Final = "wamp.error.not_authorized"
FAILED: Final = "wamp.error.authorization_failed"


# --- what it is asked and what it may say ---


def test_it_is_told_who_asks_for_what() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    assert subscribe(joe, "com.example.news", "prefix") == []
    session, uri, action, options = answer(backend, [True])
    assert session == {
        "realm": "realm1",
        "authid": "joe",
        "authrole": "member",
        "authmethod": "ticket",
        "authprovider": "store",
        "authextra": {},
        "user": "joe",
    }
    assert (uri, action, options) == ("com.example.news", "subscribe", {"match": "prefix"})
    assert outcome(joe) == "yes"


@pytest.mark.parametrize(
    ("code", "rest", "action"),
    [
        (32, ({}, "com.x"), "subscribe"),
        (16, ({"acknowledge": True}, "com.x"), "publish"),
        (48, ({}, "com.x"), "call"),
        (64, ({}, "com.x"), "register"),
    ],
)
@pytest.mark.parametrize("allow", [True, False])
def test_each_action(code: int, rest: tuple[Any, ...], action: str, allow: bool) -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    assert joe.ask(code, *rest) == []
    assert answer(backend, [allow])[1:] == ["com.x", action, {}]
    expected = "yes" if allow else NOT_AUTHORIZED
    assert outcome(joe) == ("wamp.error.no_such_procedure" if allow and action == "call" else expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([True], "yes"),
        ([{"allow": True}], "yes"),
        ([{"allow": True, "disclose": False, "cache": True}], "yes"),
        ([False], NOT_AUTHORIZED),
        ([{"allow": False}], NOT_AUTHORIZED),
        ([], FAILED),
        ([None], FAILED),
        ([1], FAILED),
        (["true"], FAILED),
        ([[True]], FAILED),
        ([{}], FAILED),
        ([{"disclose": True}], FAILED),
        ([{"allow": 1}], FAILED),
        ([{"allow": True, "disclose": "sometimes"}], FAILED),
        ([{"allow": True, "cache": 5}], FAILED),
        ([{"allow": True, "alow": True}], FAILED),
        ([True, True], FAILED),
    ],
)
def test_answers(said: list[Any], expected: str) -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    answer(backend, said)
    assert outcome(joe) == expected
    assert len(decided.kept) == (expected != FAILED)


def test_keyword_arguments_are_an_answer_too() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    answer(backend, [], {"allow": True})
    assert outcome(joe) == "yes"


@pytest.mark.parametrize(("disclose", "told"), [(True, True), (False, False), ("never", False), ("always", True)])
def test_its_answer_discloses(disclose: Any, told: bool) -> None:
    decided = Decided()
    backend = decided.backend()
    backend.ask(32, {}, "com.backend.x")
    backend.heard()
    joe = decided.member("joe")
    joe.ask(16, {}, "com.backend.x", ["hello"])
    question = invoked(backend)
    (event,) = backend.say(70, question[1], {}, [{"allow": True, "disclose": disclose}])
    assert ("publisher_authid" in event[3]) == told


def test_the_log_says_that_it_refused() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    answer(backend, [False])
    assert outcome(joe) == NOT_AUTHORIZED
    assert [fields["because"] for fields in decided.records("refused")] == [f"the dynamic authorizer {ASK}"]


def test_explain_says_that_it_decides() -> None:
    decided = Decided()
    backend = decided.backend()
    (question,) = backend.ask(48, {}, explain.NAME, ["joe", "subscribe", "com.x"])
    (result,) = backend.say(70, question[1], {}, [True])
    assert result[-1] == {
        "allowed": True,
        "because": f"the dynamic authorizer {ASK}",
        "failed": False,
        "authrole": "member",
    }


# --- what decides before it ---


@pytest.mark.parametrize(
    ("topic", "match", "expected"),
    [
        ("com.static.yes", "exact", "yes"),
        ("com.static.no.x", "exact", NOT_AUTHORIZED),
        ("com.static.", "prefix", NOT_AUTHORIZED),
        ("organization.7", "exact", "yes"),
        ("organization.7.news.", "prefix", "yes"),
        ("organization.7.", "prefix", NOT_AUTHORIZED),
        ("organization.8", "exact", NOT_AUTHORIZED),
        ("organization.7", "prefix", NOT_AUTHORIZED),
        ("organization", "prefix", NOT_AUTHORIZED),
        ("organization.", "wildcard", NOT_AUTHORIZED),
        (".7", "wildcard", NOT_AUTHORIZED),
        ("", "prefix", NOT_AUTHORIZED),
        ("user.joe.x", "exact", "yes"),
        ("user.ann.x", "exact", NOT_AUTHORIZED),
        ("user.", "prefix", NOT_AUTHORIZED),
        ("organization.7.admin", "exact", NOT_AUTHORIZED),
        ("wamp.session.on_join", "exact", NOT_AUTHORIZED),
        ("wamp", "prefix", NOT_AUTHORIZED),
        ("wampgate.x", "exact", NOT_AUTHORIZED),
    ],
)
def test_rules_and_topics_decide_first_and_it_is_not_asked(topic: str, match: str, expected: str) -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe", "7")
    subscribe(joe, topic, match)
    assert (joe.messages[-1][0] == 33) == (expected == "yes")
    if expected != "yes":
        assert joe.messages[-1][4] == expected
    assert invocations(backend) == []


@pytest.mark.parametrize("procedure", ["wampgate.publish", "wampgate.sessions.kill", forget.NAME, "wamp.session.kill"])
def test_the_router_s_own_procedures_it_gives_to_nobody(procedure: str) -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    (error,) = joe.ask(48, {}, procedure)
    assert error[4] == NOT_AUTHORIZED
    assert invocations(backend) == []


def test_other_roles_it_is_not_asked_about() -> None:
    decided = Decided()
    backend = decided.backend()
    guest = decided.routed.peer().join()
    assert subscribe(guest, "com.x")[4] == NOT_AUTHORIZED
    assert invocations(backend) == []


def test_what_belongs_to_an_organization_it_gives_to_members_only() -> None:
    """Publishing there no template allows anyone; so it is asked, but about members alone."""
    decided = Decided()
    backend = decided.backend()
    joe, ann, root = decided.member("joe", "7"), decided.member("ann", "8"), decided.admin("root", "7")
    for peer, topic in ((ann, "organization.7.chat"), (joe, "organization.7.admin.chat"), (joe, "user.ann.x")):
        (error,) = peer.ask(16, {"acknowledge": True}, topic)
        assert error[4] == NOT_AUTHORIZED
        assert invocations(backend) == []
    for peer, topic in ((joe, "organization.7.chat"), (root, "organization.7.admin.chat"), (joe, "user.joe.x")):
        assert peer.ask(16, {"acknowledge": True}, topic) == []
        answer(backend, [True])
        assert outcome(peer) == "yes"


def test_a_membership_that_ended_counts_at_once_whatever_was_kept() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe", "7")
    joe.ask(16, {"acknowledge": True}, "organization.7.chat")
    answer(backend, [True])
    assert outcome(joe) == "yes"
    decided.under_test.memory.remove_membership("joe", "7")
    decided.under_test.memberships.forget(["joe"])
    (error,) = joe.ask(16, {"acknowledge": True}, "organization.7.chat")
    assert error[4] == NOT_AUTHORIZED
    assert invocations(backend) == []


def test_a_membership_that_changes_has_it_asked_again() -> None:
    """What it says may depend on memberships as well."""
    decided = Decided()
    under_test, routed = decided.under_test, decided.routed
    standing = Standing(
        decided.realm, routed.router, under_test.store, under_test.memberships, now=routed.clock, run=routed.run
    )
    standing.rights_changed = decided.dynamic.forget_user
    backend = decided.backend()
    joe = decided.member("joe", "7")
    assert subscribe(joe, "organization.7")[0] == 33
    subscribe(joe, "com.x")
    answer(backend, [True])
    assert outcome(joe) == "yes"
    under_test.memory.remove_membership("joe", "7")
    routed.flush()
    assert answer(backend, [False])[1] == "com.x"
    assert not joe.session.subscriptions
    assert len(decided.kept) == 1


def test_it_waits_for_the_store_first_where_that_has_to_say() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe", "7")
    guard = decided.dynamic._owners.authorize(joe.session.principal, "publish", "organization.7.chat", "exact")
    assert isinstance(guard, Decision)
    assert guard.allowed
    later: Pending[Decision] = Pending()
    decided.dynamic._owners = Later(later)
    assert joe.ask(16, {"acknowledge": True}, "organization.7.chat") == []
    assert invocations(backend) == []
    later.resolve(replace(guard, since=4.0))
    decided.routed.flush()
    answer(backend, [True])
    assert outcome(joe) == "yes"


class Later:
    """Owners that a store tells of, at its own time."""

    def __init__(self, answer: Pending[Decision]) -> None:
        self._answer = answer

    def authorize(self, *_: Any) -> Pending[Decision]:
        return self._answer


def test_a_member_s_answer_carries_since_when_it_is_one() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe", "7")
    owner = Decision(True, "member of 7", since=12.5)
    decided.dynamic._owners = Known(owner)
    found: list[Decision] = []
    answer_ = decided.realm.authorize(joe.session, "publish", "organization.7.chat", "exact")
    assert isinstance(answer_, Pending)
    answer_.then(found.append)
    decided.routed.flush()
    answer(backend, [True])
    assert [decision.since for decision in found] == [12.5]
    kept = decided.realm.authorize(joe.session, "publish", "organization.7.chat", "exact")
    assert kept == found[0]


class Known:
    """Owners that are known already."""

    def __init__(self, answer: Decision) -> None:
        self._answer = answer

    def authorize(self, *_: Any) -> Decision:
        return self._answer


# --- who decides for others ---


def test_who_decides_for_others_is_decided_by_rules_alone() -> None:
    """Or else it would lock itself out: its own question would wait for its own answer."""
    decided = Decided(roles=("member", "backend"))
    backend = decided.backend()
    assert subscribe(backend, "com.backend.x")[0] == 33
    assert subscribe(backend, "com.other.x")[4] == NOT_AUTHORIZED
    assert invocations(backend) == []


@pytest.mark.parametrize(
    ("procedure", "match"),
    [
        (ASK, "exact"),
        ("com.example.", "prefix"),
        ("com", "prefix"),
        ("", "prefix"),
        ("com..authorize", "wildcard"),
        ("..", "wildcard"),
    ],
)
def test_nobody_becomes_the_one_that_decides_by_its_own_word(procedure: str, match: str) -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    (error,) = joe.ask(64, {"match": match, "invoke": "random"}, procedure)
    assert error[4] == NOT_AUTHORIZED
    assert invocations(backend) == []


def test_what_it_allows_to_register_is_no_deciding_procedure() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    assert joe.ask(64, {"match": "prefix"}, "com.example.authorize.") == []
    answer(backend, [True])
    assert outcome(joe) == "yes"


def test_a_template_that_lets_register_lets_nobody_decide() -> None:
    rules = tuple(each for each in RULES if each.uri != ASK)
    decided = Decided(rules=rules)
    joe = decided.member("joe")
    decided.dynamic._deciding = ("user.joe.authorize",)
    (error,) = joe.ask(64, {}, "user.joe.authorize")
    assert error[4] == NOT_AUTHORIZED
    assert joe.ask(64, {}, "user.joe.other")[0][0] == 65


# --- what keeps it from answering ---


def failed_because(decided: Decided) -> str:
    return str(decided.records("refused")[-1]["because"])


def test_nobody_has_registered_it() -> None:
    decided = Decided()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    assert outcome_of_last(joe) == FAILED
    assert failed_because(decided) == f"the dynamic authorizer {ASK}: nobody has registered it"


def outcome_of_last(peer: Peer) -> str:
    message = peer.messages[-1]
    return str(message[4]) if message[0] == 8 else "yes"


def test_it_is_late() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    question = invoked(backend)
    decided.routed.pass_time(2.1)
    assert outcome(joe) == FAILED
    assert failed_because(decided).endswith("it did not answer within 2 s")
    backend.say(70, question[1], {}, [True])
    assert joe.heard() == []
    assert not joe.session.subscriptions
    assert len(decided.kept) == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("wamp.error.runtime_error", FAILED),
        ("com.example.broken", FAILED),
        ("wamp.error.not_authorized", NOT_AUTHORIZED),
    ],
)
def test_it_fails(error: str, expected: str) -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    backend.say(8, 68, invoked(backend)[1], {}, error, ["Traceback"])
    assert outcome(joe) == expected
    assert len(decided.kept) == 0


def test_it_was_never_bound() -> None:
    decided = Decided()
    decided.procedure._caller = None
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    assert outcome_of_last(joe) == FAILED


# --- what is kept, and for whom ---


def test_an_answer_is_kept_for_a_while() -> None:
    decided = Decided(cache_seconds=5.0)
    backend = decided.backend()
    joe = decided.member("joe")
    for seconds, asked in ((0, True), (4, False), (2, True)):
        decided.routed.pass_time(seconds)
        heard = joe.ask(16, {"acknowledge": True}, "com.x")
        if asked:
            assert heard == []
            answer(backend, [True])
            heard = joe.heard()
        assert [message[0] for message in heard] == [17]
        assert invocations(backend) == []


def test_an_answer_that_is_not_to_be_kept_is_not() -> None:
    for decided, said in ((Decided(), {"allow": True, "cache": False}), (Decided(cache_seconds=0), {"allow": True})):
        backend = decided.backend()
        joe = decided.member("joe")
        for _ in range(3):
            joe.ask(16, {"acknowledge": True}, "com.x")
            answer(backend, [said])
            assert outcome(joe) == "yes"
        assert len(decided.kept) == 0


def test_a_no_is_kept_too() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    answer(backend, [False])
    assert outcome(joe) == NOT_AUTHORIZED
    assert subscribe(joe, "com.x")[4] == NOT_AUTHORIZED
    assert invocations(backend) == []


def test_an_answer_for_a_pattern_counts_for_that_pattern_alone() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    asked = []
    for topic, match in (("com.x", "exact"), ("com.x", "prefix"), ("com.x", "wildcard"), ("com.x.y", "exact")):
        subscribe(joe, topic, match)
        asked.append(answer(backend, [match == "prefix"])[1:])
    assert asked == [
        ["com.x", "subscribe", {}],
        ["com.x", "subscribe", {"match": "prefix"}],
        ["com.x", "subscribe", {"match": "wildcard"}],
        ["com.x.y", "subscribe", {}],
    ]


def test_sessions_of_one_principal_share_an_answer_and_ask_once() -> None:
    decided = Decided()
    backend = decided.backend()
    tabs = [decided.member("joe") for _ in range(5)]
    for tab in tabs:
        assert subscribe(tab, "com.x") == []
    answer(backend, [True])
    assert [outcome(tab) for tab in tabs] == ["yes"] * 5
    assert invocations(backend) == []


def test_two_users_of_one_role_never_share_one() -> None:
    decided = Decided()
    backend = decided.backend()
    joe, ann = decided.member("joe"), decided.member("ann")
    subscribe(joe, "com.x")
    answer(backend, [True])
    assert outcome(joe) == "yes"
    assert subscribe(ann, "com.x") == []
    assert answer(backend, [False])[0]["authid"] == "ann"
    assert outcome(ann) == NOT_AUTHORIZED
    assert subscribe(joe, "com.x")[0] == 33


PRINCIPALS: Final = [
    Principal(authid, role, method, provider, user=user, extra=extra)
    for authid in ("joe", "ann")
    for role in ("member", "guest")
    for method, provider in (("ticket", "store"), ("ticket", "dynamic"), ("anonymous", "dynamic"))
    for user in ("joe", "ann", None)
    for extra in ({}, {"tenant": 1}, {"tenant": "1"})
]
REQUESTS: Final[list[tuple[Action, str, Match]]] = [
    ("subscribe", "com.x", "exact"),
    ("subscribe", "com.x", "prefix"),
    ("publish", "com.x", "exact"),
    ("publish", "com.x.y", "exact"),
]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PRINCIPALS), st.sampled_from(REQUESTS)), max_size=60), st.integers(1, 8))
def test_what_is_kept_is_what_was_said_of_the_same_principal_and_request(
    questions: list[tuple[Principal, tuple[Action, str, Match]]], limit: int
) -> None:
    """Whatever two principals have in common: unless all that the procedure is told is the same, nothing is shared."""
    now = [0.0]
    kept = KeptDecisions(lambda: now[0], seconds=10.0, limit=limit)
    for who, (action, subject, match) in questions:
        now[0] += 0.7
        told = repr((who, action, subject, match))
        request = request_of(who, action, subject, match)
        found = kept.find(who.authid, request)
        assert found is None or found.because == told
        if found is None:
            kept.keep(who.authid, request, Decision(True, told))
        assert len(kept) == sum(map(len, kept._kept_by_authid.values())) <= limit


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_what_members_get_is_what_was_said_of_them(data: st.DataObject) -> None:
    """Many users of one role, a backend that answers in any order: nobody gets what was said of another."""
    decided = Decided(cache_seconds=data.draw(st.sampled_from([0.0, 5.0])), max_cached=data.draw(st.integers(1, 20)))
    backend = decided.backend()
    rights = data.draw(st.fixed_dictionaries({user: st.sets(st.sampled_from("abc")) for user in ("joe", "ann", "eve")}))
    peers = {user: decided.member(user) for user in rights}
    open_: list[list[Any]] = []
    wanted: dict[tuple[str, int], str] = {}
    for _ in range(data.draw(st.integers(1, 25))):
        if open_ and data.draw(st.booleans()):
            question = open_.pop(data.draw(st.integers(0, len(open_) - 1)))
            session, uri, *_ = question[4]
            backend.say(70, question[1], {}, [uri[-1] in rights[session["authid"]]])
        else:
            user = data.draw(st.sampled_from(sorted(rights)))
            topic = f"com.{data.draw(st.sampled_from('abc'))}"
            peers[user].ask(32, {}, topic)
            wanted[user, peers[user].request] = topic
        open_ += invocations(backend)
    while open_:
        question = open_.pop()
        session, uri, *_ = question[4]
        backend.say(70, question[1], {}, [uri[-1] in rights[session["authid"]]])
        open_ += invocations(backend)
    for user, peer in peers.items():
        for message in peer.messages:
            if message[0] == 33:
                assert wanted.pop((user, message[1]))[-1] in rights[user]
            elif message[0] == 8:
                assert wanted.pop((user, message[2]))[-1] not in rights[user]
    assert wanted == {}
    assert len(decided.procedure) == len(decided.procedure._questions) == 0


# --- many at once ---


def test_a_silent_one_grants_nothing_and_keeps_no_queue() -> None:
    decided = Decided(calls=10, most=40)
    backend = decided.backend()
    peers = [decided.member(f"user{number}") for number in range(30)]
    for peer in peers:
        for number in range(20):
            subscribe(peer, f"com.{number}")
    assert len(invocations(backend)) == 10
    assert len(decided.caller) <= 10 + 100
    decided.routed.pass_time(2.1)
    assert len(decided.caller) == len(decided.procedure) == 0
    assert not backend.session.invocations
    assert len(decided.kept) == 0
    for peer in peers:
        assert {message[4] for message in peer.messages[2:]} == {FAILED}
        assert len(peer.messages) == 2 + 20
        assert not peer.session.subscriptions


def test_one_user_leaves_places_for_the_others() -> None:
    decided = Decided(most=40)
    backend = decided.backend()
    joe, ann = decided.member("joe"), decided.member("ann")
    for number in range(15):
        assert subscribe(joe, f"com.{number}") == []
    assert subscribe(ann, "com.x") == []
    questions = invocations(backend)
    assert [question[4][0]["authid"] for question in questions] == ["joe"] * 10 + ["ann"]
    for question in questions:
        backend.say(70, question[1], {}, [True])
    assert outcome(ann) == "yes"
    assert [message[0] for message in joe.heard()] == [33] * 10 + [8] * 5
    assert failed_because(decided).endswith("10 questions about this authid wait already")
    assert subscribe(joe, "com.y") == []


def test_one_that_asks_about_very_many_drives_out_its_own() -> None:
    decided = Decided(max_cached=40)
    backend = decided.backend()
    joe, ann = decided.member("joe"), decided.member("ann")
    subscribe(ann, "com.x")
    answer(backend, [True])
    for number in range(200):
        subscribe(joe, f"com.{number}")
        answer(backend, [False])
        assert len(decided.kept) <= 40
    joe.heard()
    ann.heard()
    assert subscribe(ann, "com.x")[0] == 33
    assert invocations(backend) == []


# --- rights that change ---


def forgotten(backend: Peer, **whom: str) -> Any:
    """Say that someone's rights have changed; what comes of it for the backend: the result, and questions."""
    heard = backend.ask(48, {}, forget.NAME, [], whom)
    return next(message for message in heard if message[0] == 50)[3:], [m for m in heard if m[0] == 68]


@pytest.mark.parametrize("by", ["authid", "user"])
def test_rights_that_end_are_taken_away_when_it_says_so(by: str) -> None:
    decided = Decided()
    backend = decided.backend()
    joe, ann = decided.member("joe"), decided.member("ann")
    for peer in (joe, ann):
        joe_or_ann = subscribe(peer, "com.x")
        assert joe_or_ann == []
        answer(backend, [True])
        assert outcome(peer) == "yes"
    joe.ask(32, {}, "wampgate.revoked")
    joe.heard()
    result, (question,) = forgotten(backend, **{by: "joe"})
    assert result == [[1]]
    backend.say(70, question[1], {}, [False])
    assert [message[5:] for message in joe.heard() if message[0] == 36] != []
    assert {subscription.topic for subscription in (joe.session.subscriptions or {}).values()} == {"wampgate.revoked"}
    assert len(ann.session.subscriptions or ()) == 1
    assert invocations(backend) == []


def test_rights_that_hold_stay_when_it_is_asked_again() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    answer(backend, [True])
    joe.heard()
    _, (question,) = forgotten(backend, authid="joe")
    backend.say(70, question[1], {}, [True])
    assert joe.heard() == []
    assert len(joe.session.subscriptions or ()) == 1


def test_rights_stay_while_it_can_not_be_said() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    answer(backend, [True])
    joe.heard()
    forgotten(backend, authid="joe")
    decided.routed.pass_time(2.1)
    assert joe.heard() == []
    assert len(joe.session.subscriptions or ()) == 1
    assert len(decided.kept) == 0


def test_an_answer_from_before_the_change_counts_for_nothing() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    old = invoked(backend)
    _, (new,) = forgotten(backend, authid="joe")
    backend.say(70, old[1], {}, [True])
    assert joe.heard() == []
    backend.say(70, new[1], {}, [False])
    assert outcome(joe) == NOT_AUTHORIZED
    assert subscribe(joe, "com.x")[4] == NOT_AUTHORIZED


def test_who_is_not_here_is_asked_about_anew_as_well() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    old = invoked(backend)
    decided.dynamic.forget("joe")
    (again,) = backend.say(70, old[1], {}, [True])
    assert again[4][1:] == ["com.x", "subscribe", {}]
    backend.say(70, again[1], {}, [False])
    assert outcome(joe) == NOT_AUTHORIZED


def test_it_is_not_asked_for_ever() -> None:
    decided = Decided()
    backend = decided.backend()
    joe = decided.member("joe")
    subscribe(joe, "com.x")
    (question,) = invocations(backend)
    for _ in range(3):
        decided.dynamic.forget("joe")
        (question,) = backend.say(70, question[1], {}, [True])
    decided.dynamic.forget_user("joe")
    assert backend.say(70, question[1], {}, [True]) == []
    assert outcome(joe) == FAILED
    assert len(decided.procedure) == 0


@pytest.mark.parametrize("arguments", [{}, {"authid": 7}, {"authid": "a", "user": "b"}, {"user": None}, {"role": "x"}])
def test_forgetting_needs_a_name(arguments: dict[str, Any]) -> None:
    decided = Decided()
    backend = decided.backend()
    (error,) = backend.ask(48, {}, forget.NAME, [], arguments)
    assert error[4] == "wamp.error.invalid_argument"
