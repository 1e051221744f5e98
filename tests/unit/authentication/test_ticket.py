"""The authmethod ticket: who shows a good one is whom it says; every other is refused, told apart in the log only."""

from __future__ import annotations

import math
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.routed import Clock, outcome_of

from wampgate.authentication.ticket import StaticPrincipal, TicketAuthenticator
from wampgate.core.errors import JoinRefused, StoreUnavailable
from wampgate.core.interfaces import Challenge, Connection, Principal, Token
from wampgate.stores.memory import MemoryTokenStore
from wampgate.wire.messages import ClientRoles, HelloDetails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.core.interfaces import Membership

CONNECTION = Connection("127.0.0.1:50000", "127.0.0.1")
CHALLENGE = Challenge("ticket")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryTokenStore:
    store = MemoryTokenStore(clock)
    store.add_token("good", "joe")
    store.add_token("for an hour", "joe", 3600)
    store.add_token("expired", "joe", 0)
    store.add_token("of backend", "backend")
    store.add_token("of the router", "wampgate.caller")
    store.add_token("of the root", "wampgate")
    store.add_token("alike", "wampgates")
    return store


def hashed(ticket: str) -> str:
    return sha256(ticket.encode()).hexdigest()


@pytest.fixture
def authenticator(store: MemoryTokenStore, clock: Clock) -> TicketAuthenticator:
    backend = StaticPrincipal("backend", "publisher", hashed("secret of backend"))
    return TicketAuthenticator(principals=[backend], store=store, role="member", now=clock)


def hello(authid: str | None = None) -> HelloDetails:
    return HelloDetails(roles=ClientRoles(), authid=authid)


def asked(authenticator: TicketAuthenticator, ticket: str, authid: str | None = None) -> Principal:
    made: Principal = outcome_of(authenticator.authenticate(hello(authid), CHALLENGE, ticket, {}))
    return made


def refused(authenticator: TicketAuthenticator, ticket: str, authid: str | None = None) -> JoinRefused:
    with pytest.raises(JoinRefused) as found:
        asked(authenticator, ticket, authid)
    return found.value


def test_it_asks_for_the_ticket(authenticator: TicketAuthenticator) -> None:
    assert outcome_of(authenticator.hello(hello(), CONNECTION)) == Challenge("ticket", {})


@pytest.mark.parametrize("authid", [None, "joe"])
def test_a_good_token_is_its_user(authenticator: TicketAuthenticator, authid: str | None) -> None:
    principal = asked(authenticator, "good", authid)
    assert (principal.authid, principal.authrole, principal.authprovider) == ("joe", "member", "store")
    assert (principal.user, principal.expires, principal.token_id) == ("joe", None, hashed("good"))


def test_a_token_ends_by_the_router_s_clock(authenticator: TicketAuthenticator, clock: Clock) -> None:
    assert asked(authenticator, "for an hour").expires == clock() + 3600
    clock.now += 3599.5
    assert asked(authenticator, "for an hour").expires == clock() + 0.5
    clock.now += 0.5
    assert refused(authenticator, "for an hour").error == "wamp.error.authentication_denied"


@pytest.mark.parametrize("authid", [None, "backend"])
def test_a_static_principal_is_whom_the_configuration_names(
    authenticator: TicketAuthenticator, store: MemoryTokenStore, authid: str | None
) -> None:
    # Backends work without the database.
    store.go_down()
    principal = asked(authenticator, "secret of backend", authid)
    assert (principal.authid, principal.authrole, principal.authprovider) == ("backend", "publisher", "static")
    assert (principal.user, principal.expires) == (None, None)


REFUSALS = [
    ("wrong", None, "unknown token"),
    ("expired", None, "expired token of user 'joe'"),
    ("expired", "joe", "expired token of user 'joe'"),
    ("good", "ann", "authid 'ann' was asked for with a ticket of 'joe'"),
    ("good", "", "authid '' was asked for"),
    ("good", "JOE", "authid 'JOE' was asked for"),
    ("secret of backend", "joe", "authid 'joe' was asked for with a ticket of 'backend'"),
    ("of backend", None, "user id 'backend' is a static principal's authid"),
    ("of the router", None, "user id 'wampgate.caller' is the router's own"),
    ("of the router", "wampgate.caller", "user id 'wampgate.caller' is the router's own"),
    ("of the root", None, "user id 'wampgate' is the router's own"),
    ("of backend", "backend", "user id 'backend' is a static principal's authid"),
    (hashed("secret of backend"), None, "unknown token"),
    (hashed("good"), None, "unknown token"),
    ("good ", None, "unknown token"),
    ("GOOD", None, "unknown token"),
    ("\0", None, "unknown token"),
    ("x" * 100_000, None, "unknown token"),
]


def test_a_name_that_only_begins_like_the_routers_is_anybodys(authenticator: TicketAuthenticator) -> None:
    assert asked(authenticator, "alike").authid == "wampgates"


@pytest.mark.parametrize(("ticket", "authid", "log"), REFUSALS)
def test_refusals_are_told_apart_in_the_log_only(
    authenticator: TicketAuthenticator, ticket: str, authid: str | None, log: str
) -> None:
    refusal = refused(authenticator, ticket, authid)
    assert (refusal.error, refusal.message) == ("wamp.error.authentication_denied", "the token is not accepted")
    assert log in refusal.log
    assert ticket.strip() not in f"{refusal.log} {refusal.message}" or len(ticket.strip()) < 8


def test_no_token_is_asked_for(authenticator: TicketAuthenticator) -> None:
    assert refused(authenticator, "").error == "wamp.error.authentication_required"


def test_a_store_that_is_down_is_no_refusal(authenticator: TicketAuthenticator, store: MemoryTokenStore) -> None:
    store.go_down()
    with pytest.raises(StoreUnavailable):
        asked(authenticator, "good")


def test_without_a_store_only_static_principals_come_in(clock: Clock) -> None:
    backend = StaticPrincipal("backend", "publisher", hashed("secret"))
    authenticator = TicketAuthenticator(principals=[backend], now=clock)
    assert asked(authenticator, "secret").authid == "backend"
    assert refused(authenticator, "good").error == "wamp.error.authentication_denied"


class OneToken:
    """A store whose every token has so many seconds left."""

    def __init__(self, seconds_left: float) -> None:
        self.seconds_left = seconds_left

    async def look_up(self, token: str, digest: str | None = None) -> Token | None:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        return Token("joe", self.seconds_left)

    async def memberships(self, user: str) -> Sequence[Membership]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        return []


@pytest.mark.parametrize("seconds_left", [0.0, -0.0, -1.0, -math.inf, math.nan])
def test_a_life_that_is_not_left_is_refused(clock: Clock, seconds_left: float) -> None:
    # NaN is no deadline either: it would put the heap of all sessions out of order.
    store: Any = OneToken(seconds_left)
    authenticator = TicketAuthenticator(store=store, now=clock)
    assert "expired" in refused(authenticator, "any").log


@given(ticket=st.text(max_size=40).map("canary".__add__))
def test_no_text_is_taken_for_a_token_and_none_is_repeated(ticket: str) -> None:
    store = MemoryTokenStore(Clock())
    store.add_token("the only good token", "joe")
    authenticator = TicketAuthenticator(store=store, now=Clock())
    found: Any = refused(authenticator, ticket)
    assert "canary" not in f"{found.error} {found.message} {found.log} {found}"


def test_a_token_is_named_by_its_hash() -> None:
    store = MemoryTokenStore(Clock())
    store.add_token("canary-5e1f", "joe")
    principal = asked(TicketAuthenticator(store=store, now=Clock()), "canary-5e1f")
    assert "canary" not in repr(principal)
    assert principal.token_id == hashed("canary-5e1f")
