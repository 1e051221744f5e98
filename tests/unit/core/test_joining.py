"""From HELLO to WELCOME or ABORT: each refusal as it is prescribed, and nothing said that a guesser could use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from unit.core.routed import Peer, RealmUnderTest, Routed

from wampgate.core.errors import NO_SUCH_REALM, JoinRefused
from wampgate.core.interfaces import Principal
from wampgate.core.roles import announced
from wampgate.core.session import State
from wampgate.wire.messages import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.interfaces import Challenge, Connection
    from wampgate.wire.messages import HelloDetails


@pytest.fixture
def routed() -> Routed:
    routed = Routed(RealmUnderTest(), RealmUnderTest("strict", anonymous=False, require_organization=True))
    for realm in routed.realms:
        realm.add_user("joe", "7", "8")
    routed.realm.memory.add_token("expired", "joe", 0)
    return routed


def refused(heard: list[Any]) -> tuple[str, str]:
    assert len(heard) == 1
    code, details, reason = heard[0]
    assert code == 3
    return reason, details["message"]


def with_ticket(peer: Peer, ticket: str, realm: str = "realm1", **details: Any) -> list[Any]:
    assert peer.hello(realm, authmethods=["ticket"], **details) == [[4, "ticket", {}]]
    return peer.say(5, ticket, {})


def test_welcome(routed: Routed) -> None:
    peer = routed.peer()
    (heard,) = with_ticket(peer, "the token of joe", authid="joe", authextra={"organization": "7"})
    code, session, details = heard
    assert code == 2
    assert 1 <= session <= MAX_ID
    assert details == {
        "realm": "realm1",
        "authid": "joe",
        "authrole": "member",
        "authmethod": "ticket",
        "authprovider": "store",
        "authextra": {"organizations": ["7", "8"], "organization_count": 2, "organization": "7"},
        "roles": announced(history=False, retention=True),
        "agent": "wampgate",
    }
    assert routed.records[-1][0] == "joined"


def test_session_ids_are_random(routed: Routed) -> None:
    ids = {routed.peer().join().session.id for _ in range(50)}
    assert len(ids) == 50
    assert max(ids) > 2**40


def test_the_client_chooses_neither_its_name_nor_its_role(routed: Routed) -> None:
    (heard,) = routed.peer().hello(authid="root", authrole="admin", authprovider="x", session=5)
    assert heard[2]["authid"].startswith("anonymous-")
    assert heard[2]["authrole"] == "guest"
    (heard,) = with_ticket(routed.peer(), "the token of joe", authrole="admin")
    assert heard[2]["authrole"] == "member"


@pytest.mark.parametrize(
    ("realm", "reason"),
    [
        ("nowhere", "wamp.error.no_such_realm"),
        ("REALM1", "wamp.error.no_such_realm"),
        ("realm1.", "wamp.error.invalid_uri"),
        ("realm1\n", "wamp.error.invalid_uri"),
        ("", "wamp.error.invalid_uri"),
        ("real m", "wamp.error.invalid_uri"),
    ],
)
def test_no_such_realm(routed: Routed, realm: str, reason: str) -> None:
    peer = routed.peer()
    assert refused(peer.hello(realm))[0] == reason
    assert peer.closed == (NO_SUCH_REALM.code, reason)
    assert [(event, fields["because"]) for event, fields in routed.records] == [
        ("join_refused", "it names a realm that is not here")
    ]


@pytest.mark.parametrize("roles", [{}, {"broker": {}}, {"subscribers": {}}])
def test_a_client_has_a_role(routed: Routed, roles: dict[str, Any]) -> None:
    peer = routed.peer()
    assert refused(peer.say(1, "realm1", {"roles": roles}))[0] == "wamp.error.protocol_violation"


@pytest.mark.parametrize("role", ["publisher", "subscriber", "caller", "callee"])
def test_one_role_is_enough(routed: Routed, role: str) -> None:
    assert routed.peer().say(1, "realm1", {"roles": {role: {}}})[0][0] == 2


@pytest.mark.parametrize(
    ("methods", "reason"),
    [
        (None, "wamp.error.authentication_required"),
        ([], "wamp.error.authentication_required"),
        (["anonymous"], "wamp.error.authentication_required"),
        (["wampcra"], "wamp.error.no_matching_auth_method"),
        (["anonymous", "scram"], "wamp.error.no_matching_auth_method"),
        (["TICKET"], "wamp.error.no_matching_auth_method"),
    ],
)
def test_no_common_method(routed: Routed, methods: list[str] | None, reason: str) -> None:
    details: dict[str, Any] = {} if methods is None else {"authmethods": methods}
    assert refused(routed.peer().hello("strict", **details))[0] == reason


def test_the_client_s_order_of_methods_counts(routed: Routed) -> None:
    assert routed.peer().hello(authmethods=["wampcra", "ticket", "anonymous"])[0][0] == 4
    assert routed.peer().hello(authmethods=["wampcra", "anonymous", "ticket"])[0][0] == 2


def test_wrong_expired_and_foreign_look_the_same_to_the_client(routed: Routed) -> None:
    answers = [
        refused(with_ticket(routed.peer(), "wrong")),
        refused(with_ticket(routed.peer(), "expired")),
        refused(with_ticket(routed.peer(), "the token of joe", authid="ann")),
        refused(with_ticket(routed.peer(), "the ticket of backend", authid="joe")),
    ]
    assert set(answers) == {("wamp.error.authentication_denied", "the token is not accepted")}
    logged = [fields["because"] for name, fields in routed.records if name == "join_refused"]
    assert len(set(logged)) == 4
    assert not any("wrong" in str(because) or "the token of joe" in str(because) for because in logged)


def test_no_token(routed: Routed) -> None:
    assert refused(with_ticket(routed.peer(), ""))[0] == "wamp.error.authentication_required"


@pytest.mark.parametrize("when", ["token", "memberships"])
def test_the_store_is_down(routed: Routed, when: str) -> None:
    routed.realm.store.slow = True
    peer = routed.peer()
    with_ticket(peer, "the token of joe")
    if when == "memberships":
        routed.answer()
    routed.realm.memory.go_down()
    routed.answer()
    assert refused(peer.heard())[0] == "wamp.error.authentication_failed"
    assert routed.is_empty()


@pytest.mark.parametrize("end", ["lost", "aborted", "late"])
def test_who_is_gone_when_the_memberships_come_does_not_join(routed: Routed, end: str) -> None:
    routed.realm.store.slow = True
    peer = routed.peer()
    with_ticket(peer, "the token of joe")
    routed.answer()
    assert [question.subject for question, _ in routed.waiting] == ["joe"]
    if end == "lost":
        peer.leave()
    elif end == "aborted":
        peer.say(3, {}, "wamp.close.close_realm")
    else:
        routed.pass_time(10)
        assert refused(peer.heard())[0] == "wamp.error.authentication_failed"
    routed.answer()
    assert peer.heard() == []
    assert peer.session.state is State.CLOSED
    assert routed.is_empty()


def test_an_organization_that_is_required(routed: Routed) -> None:
    reason, message = refused(with_ticket(routed.peer(), "the token of joe", "strict"))
    assert reason == "wampgate.error.organization_required"
    assert "organization" in message
    (heard,) = with_ticket(routed.peer(), "the token of joe", "strict", authextra={"organization": 8})
    assert heard[2]["authextra"]["organization"] == "8"


@pytest.mark.parametrize("organization", ["9", "", ["7"], {"7": 7}, True, 7.5, "x" * 100_000, [[[[]]]]])
def test_another_s_organization(routed: Routed, organization: object) -> None:
    heard = with_ticket(routed.peer(), "the token of joe", authextra={"organization": organization})
    assert refused(heard)[0] == "wamp.error.not_authorized"
    assert len(str(routed.records[-1][1]["because"])) < 300


def test_a_static_principal_joins_without_the_store(routed: Routed) -> None:
    routed.realm.memory.go_down()
    (heard,) = with_ticket(routed.peer(), "the ticket of backend")
    assert (heard[2]["authid"], heard[2]["authrole"], heard[2]["authprovider"]) == ("backend", "backend", "static")


def test_a_token_of_one_realm_is_none_in_another() -> None:
    routed = Routed(RealmUnderTest("one"), RealmUnderTest("two"))
    token = routed.realms[0].add_user("joe", "7")
    assert with_ticket(routed.peer(), token, "one")[0][0] == 2
    assert refused(with_ticket(routed.peer(), token, "two"))[0] == "wamp.error.authentication_denied"


def test_who_guesses_too_often_is_not_looked_up_any_more() -> None:
    routed = Routed(guesses=3)
    token = routed.realm.add_user("joe", "7")
    for _ in range(10):
        assert refused(with_ticket(routed.peer("10.0.0.1"), "wrong"))[0] == "wamp.error.authentication_denied"
    assert len(routed.realm.store.asked) == 3
    # Not even with a good one, and in no other words; others are not concerned.
    assert refused(with_ticket(routed.peer("10.0.0.1"), token)) == (
        "wamp.error.authentication_denied",
        "the token is not accepted",
    )
    assert with_ticket(routed.peer("10.0.0.2"), token)[0][0] == 2
    routed.pass_time(60)
    assert with_ticket(routed.peer("10.0.0.1"), token)[0][0] == 2


def test_good_tokens_are_no_guesses() -> None:
    routed = Routed(guesses=3)
    token = routed.realm.add_user("joe", "7")
    for _ in range(10):
        assert with_ticket(routed.peer(), token)[0][0] == 2


class Broken:
    """An authmethod with a bug."""

    authmethod = "broken"

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """See :class:`wampgate.core.interfaces.Authenticator`."""
        raise ZeroDivisionError("canary")

    async def authenticate(
        self, details: HelloDetails, challenge: Challenge, signature: str, extra: Mapping[str, Any]
    ) -> Principal:
        """See :class:`wampgate.core.interfaces.Authenticator`."""
        raise JoinRefused("x.y", "never asked")


def test_an_authenticator_s_bug_refuses_and_tells_nothing() -> None:
    routed = Routed(RealmUnderTest(authenticators={"broken": Broken()}))
    peer = routed.peer()
    reason, message = refused(peer.hello(authmethods=["broken"]))
    assert reason == "wamp.error.authentication_failed"
    assert "canary" not in f"{message} {routed.records}"
    assert routed.records[-1][1]["because"] == "ZeroDivisionError"
    assert peer.session.state is State.CLOSED


@pytest.mark.parametrize("principal", [("\0joe", "member"), ("joe\0", "member"), ("joe", "\0member")])
def test_names_that_readers_would_take_for_binary_data_are_refused(principal: tuple[str, str]) -> None:
    # Autobahn Python closes its connection at such an authid in WELCOME, and at such a publisher in EVENT.
    class Odd(Broken):
        async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
            return Principal(*principal, "broken", "odd")

    peer = Routed(RealmUnderTest(authenticators={"broken": Odd()})).peer()
    assert refused(peer.hello(authmethods=["broken"]))[0] == "wamp.error.authentication_denied"


def test_the_answers_of_stores_may_cross(routed: Routed) -> None:
    routed.realm.add_user("ann", "9")
    routed.realm.store.slow = True
    peers = {name: routed.peer() for name in ("joe", "ann")}
    for name, peer in peers.items():
        with_ticket(peer, f"the token of {name}")
    routed.answer(1)
    routed.answer(1)
    (heard,) = peers["ann"].heard()
    assert (heard[2]["authid"], heard[2]["authextra"]["organizations"]) == ("ann", ["9"])
    assert peers["joe"].heard() == []
    while routed.waiting:
        routed.answer()
    assert peers["joe"].heard()[0][2]["authid"] == "joe"


def test_what_is_sent_before_welcome_is_a_violation(routed: Routed) -> None:
    routed.realm.store.slow = True
    peer = routed.peer()
    with_ticket(peer, "the token of joe")
    heard = peer.ask(32, {}, "organization.7")
    assert refused(heard)[0] == "wamp.error.protocol_violation"
    routed.answer()
    assert peer.heard() == []
    assert routed.is_empty()
