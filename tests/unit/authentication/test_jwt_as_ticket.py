"""Signed tokens beside the store's and the principals': who gets which way in, and what the store still has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed_tokens import AUDIENCE, ISSUER, key_set, signing_key
from unit.core.routed import Clock, RealmUnderTest, Routed, outcome_of

from wampgate.authentication.jwt import Expected, JwtTokens
from wampgate.authentication.key_source import FixedKeys
from wampgate.authentication.keys import read_keys
from wampgate.authentication.ticket import StaticPrincipal, TicketAuthenticator
from wampgate.authorization.standing import Standing
from wampgate.core.errors import JoinRefused, StoreUnavailable
from wampgate.core.interfaces import Challenge, Connection, Principal, Query, Ticket
from wampgate.stores.memory import MemoryTokenStore
from wampgate.wire.messages import ClientRoles, HelloDetails

if TYPE_CHECKING:
    from unit.core.routed import Peer

KEY = signing_key("EdDSA")
PEER = "127.0.0.1:50000", "127.0.0.1"


def tokens(**expected: Any) -> JwtTokens:
    return JwtTokens(FixedKeys(read_keys(key_set(KEY), secrets=True)), Expected((AUDIENCE,), ISSUER, **expected))


class Door:
    """An authenticator over a store in memory."""

    def __init__(self, *, claims: str | None = None, **more: Any) -> None:
        self.clock = Clock()
        self.store = MemoryTokenStore(self.clock)
        backend = StaticPrincipal("backend", "backend", "0" * 64)
        self.authenticator = TicketAuthenticator(
            **{
                "principals": [backend],
                "store": self.store,
                "now": self.clock,
                "signed": tokens(organizations_claim=claims),
            }
            | more
        )

    def authenticate(self, ticket: str, **details: Any) -> Principal:
        hello = HelloDetails(roles=ClientRoles(), **details)
        made: Principal = outcome_of(self.authenticator.authenticate(hello, Challenge("ticket"), ticket, {}))
        return made

    def hello(self, *, bearer: str | None = None, query: Query | None = None, **details: Any) -> Principal | Challenge:
        connection = Connection(*PEER, bearer=None if bearer is None else Ticket(bearer), query=query)
        hello = HelloDetails(roles=ClientRoles(), **details)
        made: Principal | Challenge = outcome_of(self.authenticator.hello(hello, connection))
        return made

    def log_of(self, ticket: str, **details: Any) -> str:
        with pytest.raises(JoinRefused) as refused:
            self.authenticate(ticket, **details)
        assert refused.value.error == "wamp.error.authentication_denied"
        return refused.value.log


# --- signed tokens as tickets ---


def test_who_has_a_signed_token_is_a_user_without_a_row() -> None:
    door = Door(role="reader")
    principal = door.authenticate(KEY.token())
    assert (principal.authid, principal.user, principal.authrole) == ("joe", "joe", "reader")
    assert (principal.authmethod, principal.authprovider) == ("ticket", "jwt")
    assert (principal.ticket, principal.organizations) == (None, None)
    assert principal.expires is not None
    assert 590 < principal.expires - door.clock.now <= 600
    assert principal.issued is not None
    assert principal.issued.id == "t-1"


def test_opaque_tokens_go_on_to_be_the_stores() -> None:
    door = Door()
    door.store.add_token("opaque", "ann", 60)
    assert door.authenticate("opaque").authprovider == "store"
    # A text of the form of a signed token is judged as one, whatever the store has.
    door.store.add_token("eyJhbGciOiJub25lIn0.e30.", "root")
    assert "algorithm" in door.log_of("eyJhbGciOiJub25lIn0.e30.")


def test_a_signed_token_of_a_static_principals_name_is_refused() -> None:
    assert "static principal" in Door().log_of(KEY.token(sub="backend"))


def test_the_authid_that_was_asked_for() -> None:
    assert Door().authenticate(KEY.token(), authid="joe").authid == "joe"
    assert "was asked for" in Door().log_of(KEY.token(), authid="ann")


def test_organizations_of_the_token() -> None:
    principal = Door(claims="orgs").authenticate(KEY.token(orgs={"7": "admin", "8": ""}))
    assert principal.organizations == {"7": "admin", "8": ""}
    assert Door(claims="orgs").authenticate(KEY.token()).organizations == {}


# --- the store has the last word ---


def test_a_recorded_token_is_good_while_its_row_is() -> None:
    door = Door(jti_in_store=True)
    assert door.log_of(KEY.token()) == "unknown token"
    door.store.add_token("t-1", "joe", 60)
    principal = door.authenticate(KEY.token())
    # The earlier of both ends counts.
    assert principal.expires == door.clock.now + 60
    assert principal.ticket is not None
    assert principal.ticket.reveal() == "t-1"
    door.store.add_token("t-1", "joe", 10_000)
    principal = door.authenticate(KEY.token())
    assert principal.expires is not None
    assert principal.expires - door.clock.now <= 600
    door.store.add_token("t-1", "joe", 0)
    assert door.log_of(KEY.token()) == "expired token of user 'joe'"
    door.store.remove_token("t-1")
    assert door.log_of(KEY.token()) == "unknown token"


def test_the_row_has_to_be_the_same_users() -> None:
    door = Door(jti_in_store=True)
    door.store.add_token("t-1", "ann")
    assert "the store has as one of 'ann'" in door.log_of(KEY.token())


def test_a_tokens_name_opens_nothing() -> None:
    """Names stand in logs and admin pages; they are no secret."""
    door = Door(jti_in_store=True)
    door.store.add_token("t-1", "joe")
    assert door.log_of("t-1") == "no signed token"
    assert "no jti" in door.log_of(KEY.token(jti=None))


def test_a_store_that_is_down_is_no_refusal() -> None:
    door = Door(jti_in_store=True)
    door.store.go_down()
    with pytest.raises(StoreUnavailable):
        door.authenticate(KEY.token())
    # Without it in the middle, a signature needs no store.
    door = Door()
    door.store.go_down()
    assert door.authenticate(KEY.token()).authid == "joe"


# --- what comes with the HTTP request ---


@pytest.mark.parametrize("authmethods", [None, [], ["ticket"], ["wampcra", "ticket"]])
def test_a_bearer_needs_no_challenge(authmethods: list[str] | None) -> None:
    door = Door()
    door.store.add_token("opaque", "ann", 60)
    for bearer, who in (("opaque", "ann"), (KEY.token(), "joe")):
        principal = door.hello(bearer=bearer, authmethods=authmethods)
        assert isinstance(principal, Principal)
        assert principal.authid == who


@pytest.mark.parametrize("bearer", ["wrong", "ey..", "canary"])
def test_a_wrong_bearer_is_denied(bearer: str) -> None:
    with pytest.raises(JoinRefused) as refused:
        Door().hello(bearer=bearer)
    assert refused.value.error == "wamp.error.authentication_denied"
    assert bearer not in f"{refused.value.log} {refused.value.message}"


def test_an_empty_bearer_is_no_token() -> None:
    with pytest.raises(JoinRefused) as refused:
        Door().hello(bearer="")
    assert refused.value.error == "wamp.error.authentication_required"


def test_a_bearer_counts_before_the_query_string() -> None:
    door = Door(query_string=True)
    door.store.add_token("opaque", "ann", 60)
    with pytest.raises(JoinRefused):
        door.hello(bearer="wrong", query=Query(Ticket("opaque"), "7"))
    principal = door.hello(bearer="opaque", query=Query(Ticket("wrong"), "7"))
    assert isinstance(principal, Principal)
    assert (principal.authid, principal.organization) == ("ann", "7")
    # Without an organization nothing is missing: that is the query string's own habit.
    principal = door.hello(bearer="opaque", query=Query())
    assert isinstance(principal, Principal)
    assert principal.organization is None


def test_a_query_string_is_taken_where_it_is_configured() -> None:
    query = Query(Ticket("opaque"), "7")
    door = Door(query_string=True)
    door.store.add_token("opaque", "ann", 60)
    principal = door.hello(query=query)
    assert isinstance(principal, Principal)
    assert (principal.authid, principal.organization) == ("ann", "7")
    door = Door()
    door.store.add_token("opaque", "ann", 60)
    assert door.hello(query=query, authmethods=["ticket"]) == Challenge("ticket")
    with pytest.raises(JoinRefused) as refused:
        door.hello(query=query)
    assert refused.value.message == "a token is required to join this realm"


@pytest.mark.parametrize(
    ("query", "details", "error", "message"),
    [
        (Query(), {}, "wamp.error.authentication_required", "token is missing; organizationId is missing"),
        (Query(None, "7"), {}, "wamp.error.authentication_required", "token is missing"),
        (Query(Ticket("good"), None), {}, "wampgate.error.organization_required", "organizationId is missing"),
        (
            Query(None, "7"),
            {"authmethods": ["ticket"]},
            "wamp.error.authentication_required",
            "token is missing",
        ),
        (
            Query(Ticket("good"), "7"),
            {"authextra": {"organization": 8}},
            "wamp.error.invalid_argument",
            "organizationId in the query string and authextra.organization in HELLO differ",
        ),
    ],
)
def test_what_is_missing_is_named(query: Query, details: dict[str, Any], error: str, message: str) -> None:
    door = Door(query_string=True)
    door.store.add_token("good", "ann", 60)
    with pytest.raises(JoinRefused) as refused:
        door.hello(query=query, **details)
    assert (refused.value.error, refused.value.message) == (error, message)


def test_the_organization_may_stand_in_hello() -> None:
    door = Door(query_string=True)
    door.store.add_token("good", "ann", 60)
    for organization in (Query(Ticket("good")), Query(Ticket("good"), "7")):
        principal = door.hello(query=organization, authextra={"organization": 7})
        assert isinstance(principal, Principal)


def test_who_says_nothing_in_the_url_is_asked_as_always() -> None:
    assert Door(query_string=True).hello(query=Query(), authmethods=["ticket"]) == Challenge("ticket")


@given(
    ticket=st.text(max_size=50) | st.text(max_size=20).map("ey".__add__) | st.just(KEY.token(sub="joe")),
    authid=st.none() | st.text(max_size=5),
    organization=st.none() | st.text(max_size=5) | st.integers() | st.lists(st.none(), max_size=1),
    how=st.sampled_from(["authenticate", "bearer", "query"]),
    jti_in_store=st.booleans(),
)
def test_nothing_but_a_refusal_is_raised(
    ticket: str, authid: str | None, organization: Any, how: str, jti_in_store: bool
) -> None:
    door = Door(query_string=True, jti_in_store=jti_in_store)
    details = {"authid": authid, "authextra": {"organization": organization}}
    try:
        if how == "authenticate":
            who: Any = door.authenticate(ticket, **details)
        elif how == "bearer":
            who = door.hello(bearer=ticket, query=Query(None, "7"), **details)
        else:
            who = door.hello(query=Query(Ticket(ticket), "7"), **details)
    except JoinRefused:
        return
    assert who.authid == "joe"


# --- through the whole router ---


def routed(*, guesses: int = 50, **more: Any) -> Routed:
    realm = RealmUnderTest(authenticators={})
    routed = Routed(realm, guesses=guesses)
    realm.realm.authenticators = {
        "ticket": TicketAuthenticator(store=realm.store, now=routed.clock, signed=tokens(), **more)
    }
    return routed


def connected(routed: Routed, **shown: Any) -> Any:
    peer = routed.peer()
    peer.session.connection = Connection(*PEER, **shown)
    return peer


def test_welcome_comes_at_once_and_the_token_is_let_go() -> None:
    router = routed()
    token = router.realm.add_user("joe", "7")
    peer = connected(router, bearer=Ticket(token))
    code, _, details = peer.hello()[0]
    assert code == 2
    assert (details["authid"], details["authmethod"]) == ("joe", "ticket")
    assert details["authextra"]["organizations"] == ["7"]
    assert peer.session.connection.bearer is None


def test_the_organization_of_the_url_is_as_that_of_hello() -> None:
    router = routed(query_string=True)
    token = router.realm.add_user("joe", "7")
    peer = connected(router, query=Query(Ticket(token), "7"))
    assert peer.hello()[0][2]["authextra"]["organization"] == "7"
    assert peer.session.connection.query is None
    peer = connected(router, query=Query(Ticket(token), "8"))
    assert peer.hello()[0][2] == "wamp.error.not_authorized"


def test_tokens_that_come_with_the_request_are_guesses_too() -> None:
    router = routed(guesses=3)
    token = router.realm.add_user("joe")
    for _ in range(3):
        assert connected(router, bearer=Ticket("wrong")).hello()[0][2] == "wamp.error.authentication_denied"
    assert connected(router, bearer=Ticket(token)).hello()[0][2] == "wamp.error.authentication_denied"
    assert "too many refused logins" in str(router.records[-1])
    router.pass_time(61)
    assert connected(router, bearer=Ticket(token)).hello()[0][0] == 2


# --- while the session lives ---


class Kept:
    """A router whose realm's rights are kept current, with signed tokens whose names the store has."""

    def __init__(self, **more: Any) -> None:
        claims = more.pop("claims", None)
        realm = RealmUnderTest(authenticators={})
        self.routed = Routed(realm)
        self.memory = realm.memory
        signed = tokens(organizations_claim=claims)
        realm.realm.authenticators = {
            "ticket": TicketAuthenticator(
                store=realm.store, now=self.routed.clock, signed=signed, jti_in_store=True, **more
            )
        }
        self.standing = Standing(
            realm.realm,
            self.routed.router,
            realm.store,
            realm.memberships,
            now=self.routed.clock,
            run=self.routed.run,
        )

    def join(self, **claims: Any) -> Peer:
        return self.routed.peer().join(KEY.token(**claims))

    def sweep(self) -> None:
        self.standing.sweep()
        self.routed.flush()


def test_a_row_gives_a_signed_token_no_longer_life() -> None:
    kept = Kept()
    kept.memory.add_token("t-1", "joe", 10_000)
    peer = kept.join()
    for _ in range(2):
        assert peer.session.expires is not None
        assert peer.session.expires - kept.routed.clock.now <= 600
        kept.sweep()
    kept.memory.add_token("t-1", "joe", 300)
    kept.sweep()
    assert peer.session.expires == kept.routed.clock.now + 300


def test_a_row_that_goes_takes_the_session_with_it() -> None:
    kept = Kept()
    kept.memory.add_token("t-1", "joe", 10_000)
    kept.memory.add_token("t-2", "joe", 10_000)
    first, second = kept.join(), kept.join(jti="t-2")
    kept.memory.remove_token("t-1")
    kept.sweep()
    assert [message[2] for message in first.heard() if message[0] == 6] == ["wampgate.close.token_revoked"]
    assert second.session.established


def test_what_a_token_names_is_not_the_stores_to_take() -> None:
    kept = Kept(claims="orgs")
    kept.memory.add_token("t-1", "joe", 10_000)
    kept.memory.add_membership("joe", "9")
    peer = kept.join(orgs=["7"])
    assert peer.ask(32, {}, "organization.7")[0][0] == 33
    assert peer.ask(32, {}, "organization.9")[0][4] == "wamp.error.not_authorized"
    assert peer.ask(32, {}, "wampgate.organizations.changed")[0][0] == 33
    kept.memory.remove_membership("joe", "9")
    kept.memory.add_membership("joe", "10")
    kept.sweep()
    assert peer.heard() == []
    assert peer.session.subscriptions is not None
    assert len(peer.session.subscriptions) == 2
