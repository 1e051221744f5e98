"""Session cookies: what is kept of them, who joins by them, and how a login begins, goes on and ends."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec.structs import replace
from unit.core.routed import Peer, RealmUnderTest, Routed, outcome_of

from wampgate.authentication.cookie import CookieAuthenticator, CookieKeys, RealmLogins
from wampgate.authorization.standing import Standing
from wampgate.core.errors import JoinRefused, StoreUnavailable
from wampgate.core.interfaces import Connection, Principal, Ticket
from wampgate.core.logins import is_private
from wampgate.core.session import offered
from wampgate.procedures.refresh import Refresh
from wampgate.stores.cookies_memory import MemoryCookieStore
from wampgate.wire.messages import ClientRoles, HelloDetails

REVOKED = "wampgate.close.token_revoked"
DENIED = "wamp.error.authentication_denied"
REQUIRED = "wamp.error.authentication_required"
COOKIE = Ticket(base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("="))
TOKEN = "the token of joe"
DETAILS = HelloDetails(roles=ClientRoles(), authmethods=["ticket"])


# --- what is kept ---


def test_a_cookie_is_found_by_a_hash_of_its_realm() -> None:
    keys = CookieKeys("realm1")
    name = keys.name_of(COOKIE)
    assert name is not None
    assert len(name) == 64
    assert name != CookieKeys("realm2").name_of(COOKIE)
    assert COOKIE.reveal() not in name


@pytest.mark.parametrize(
    "text",
    ["", "short", "A" * 42, "A" * 44, "!" * 43, "A" * 42 + "\n", "ä" * 43, "A" * 42 + "B", "=" * 43, "\ud800" * 43],
)
def test_what_is_no_cookie_of_ours_is_none(text: str) -> None:
    assert CookieKeys("realm1").name_of(Ticket(text)) is None


def test_only_the_cookie_opens_what_it_sealed() -> None:
    keys = CookieKeys("realm1")
    sealed = keys.seal(COOKIE, TOKEN)
    assert keys.open(COOKIE, sealed) == TOKEN
    other = Ticket(base64.urlsafe_b64encode(bytes(32)).decode().rstrip("="))
    assert keys.open(other, sealed) is None
    assert CookieKeys("realm2").open(COOKIE, sealed) is None
    changed = bytearray(base64.b64decode(sealed))
    for place in (0, 12, -1):
        broken = changed.copy()
        broken[place] ^= 1
        assert keys.open(COOKIE, base64.b64encode(broken).decode()) is None
    for nonsense in ("", "A", "!!!", "AAAA"):
        assert keys.open(COOKIE, nonsense) is None
    assert keys.seal(COOKIE, TOKEN) != sealed


# --- a router that takes cookies ---


class World:
    """A router whose realm takes cookies; its store and clock are in the test's hand."""

    def __init__(self, *, most_seconds: float = 1000.0, **routed: Any) -> None:
        self.under_test = RealmUnderTest()
        self.routed = Routed(self.under_test, **routed)
        self.realm = self.under_test.realm
        self.cookies = MemoryCookieStore(self.routed.clock, per_authid=3)
        keys = CookieKeys("realm1")
        authenticators: Any = self.realm.authenticators
        self.tickets = authenticators["ticket"]
        self.authenticator = CookieAuthenticator(keys, self.cookies, self.tickets)
        authenticators["cookie"] = self.authenticator
        self.logins = RealmLogins(self.realm, keys, self.cookies, now=self.routed.clock, most_seconds=most_seconds)
        self.under_test.add_user("joe", "7", seconds=500)
        self.under_test.add_user("ann", "7")

    def watch(self) -> Standing:
        return Standing(
            self.realm,
            self.routed.router,
            self.under_test.store,
            self.under_test.memberships,
            now=self.routed.clock,
            run=self.routed.run,
            cookies=self.cookies,
        )

    def log_in(self, token: str = TOKEN, before: Ticket | None = None) -> Ticket:
        principal = outcome_of(
            self.tickets.hello(DETAILS, Connection("127.0.0.1:1", "127.0.0.1", bearer=Ticket(token)))
        )
        login = outcome_of(self.logins.begin(principal, Ticket(token), before))
        self.seconds = login.seconds
        cookie: Ticket = login.cookie
        return cookie

    def peer(self, cookie: Ticket | None = None, **more: Any) -> Peer:
        peer = self.routed.peer(more.pop("address", "127.0.0.1"))
        peer.session.connection = replace(peer.session.connection, cookie=cookie, **more)
        return peer

    def join(self, cookie: Ticket, **more: Any) -> Peer:
        peer = self.peer(cookie)
        (welcome,) = peer.hello(authmethods=["cookie"], **more)
        assert welcome[0] == 2, welcome
        return peer


@pytest.fixture
def world() -> World:
    return World()


def refusal(heard: list[Any]) -> str:
    ((code, _, error),) = heard
    assert code == 3
    return str(error)


def test_who_brings_one_is_whom_the_token_says(world: World) -> None:
    peer = world.peer(world.log_in())
    ((code, _, details),) = peer.hello(authmethods=["cookie"])
    assert code == 2
    assert (details["authid"], details["authrole"], details["authmethod"]) == ("joe", "member", "cookie")
    assert details["authprovider"] == "store"
    assert details["authextra"]["organizations"] == ["7"]
    principal = peer.session.principal
    shown = world.routed.peer().join(TOKEN).session.principal
    assert replace(principal, authmethod="ticket", login=None) == replace(shown, ticket=principal.ticket)
    assert principal.ticket is not None
    assert principal.ticket.reveal() == TOKEN


def test_the_session_keeps_neither_cookie_nor_token_of_its_request(world: World) -> None:
    peer = world.join(world.log_in())
    assert peer.session.connection.cookie is None


def test_cookies_are_random_and_good_no_longer_than_the_token(world: World) -> None:
    assert len({world.log_in().reveal() for _ in range(5)}) == 5
    assert world.seconds == 500
    world.log_in("the token of ann")
    assert world.seconds == 1000
    with pytest.raises(JoinRefused):
        outcome_of(world.logins.begin(principal_until(world.routed.clock.now + 0.5), Ticket(TOKEN), None))


def principal_until(when: float) -> Principal:
    return Principal("joe", "member", "ticket", "store", user="joe", expires=when)


@pytest.mark.parametrize("cookie", [COOKIE, Ticket("nonsense"), Ticket("\ud800")])
def test_an_unknown_one_is_denied_and_counts_as_a_guess(cookie: Ticket) -> None:
    world = World(guesses=3)
    for _ in range(3):
        assert refusal(world.peer(cookie).hello(authmethods=["cookie"])) == DENIED
    good = world.log_in()
    assert refusal(world.peer(good).hello(authmethods=["cookie"])) == DENIED
    world.routed.pass_time(61)
    world.join(good)


def test_good_ones_are_no_guesses() -> None:
    world = World(guesses=2)
    cookie = world.log_in()
    for _ in range(10):
        world.join(cookie)


def test_one_whose_token_was_revoked_opens_nothing(world: World) -> None:
    cookie = world.log_in()
    world.under_test.memory.remove_token(TOKEN)
    assert refusal(world.peer(cookie).hello(authmethods=["cookie"])) == DENIED


def test_one_that_is_over_opens_nothing(world: World) -> None:
    cookie = world.log_in("the token of ann")
    world.routed.pass_time(1001)
    assert refusal(world.peer(cookie).hello(authmethods=["cookie"])) == DENIED


def test_another_authid_is_not_had_by_it(world: World) -> None:
    cookie = world.log_in()
    assert refusal(world.peer(cookie).hello(authmethods=["cookie"], authid="ann")) == DENIED


def test_without_one_it_is_asked_for(world: World) -> None:
    assert refusal(world.peer().hello(authmethods=["cookie"])) == REQUIRED


@pytest.mark.parametrize(("address", "secure"), [("192.0.2.7", False), ("unix", False), ("2001:db8::1", False)])
def test_over_an_open_connection_it_is_not_taken(world: World, address: str, secure: bool) -> None:
    peer = world.peer(world.log_in(), address=address, secure=secure)
    assert refusal(peer.hello(authmethods=["cookie"])) == REQUIRED


@pytest.mark.parametrize(
    ("address", "secure", "private"),
    [
        ("192.0.2.7", True, True),
        ("192.0.2.7", False, False),
        ("127.0.0.1", False, True),
        ("127.8.8.8", False, True),
        ("::1", False, True),
        ("unix", False, False),
        ("unix", True, True),
        ("", False, False),
    ],
)
def test_which_connections_nobody_can_listen_to(address: str, secure: bool, private: bool) -> None:
    assert is_private(Connection("", address, secure=secure)) == private


def test_a_store_that_does_not_answer_grants_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(_: str) -> Any:
        raise StoreUnavailable("not now")

    cookie = world.log_in()
    monkeypatch.setattr(world.cookies, "find", unavailable)
    heard = world.peer(cookie).hello(authmethods=["cookie"])
    assert refusal(heard) == "wamp.error.authentication_failed"


def test_what_the_ticket_says_of_organizations_holds_here_too(world: World) -> None:
    heard = world.peer(world.log_in()).hello(authmethods=["cookie"], authextra={"organization": "9"})
    assert refusal(heard) == "wamp.error.not_authorized"


# --- which methods a client offers ---


@pytest.mark.parametrize(
    ("methods", "cookie", "expected"),
    [
        (["cookie", "ticket"], True, ("cookie", "ticket")),
        (["cookie", "ticket"], False, ("ticket",)),
        (["ticket", "cookie"], True, ("ticket", "cookie")),
        (["cookie"], False, ("cookie",)),
        (None, True, ("cookie", "anonymous")),
        (None, False, ("anonymous",)),
        ([], True, ("cookie", "anonymous")),
    ],
)
def test_what_is_offered(methods: list[str] | None, cookie: bool, expected: tuple[str, ...]) -> None:
    connection = Connection("127.0.0.1:1", "127.0.0.1", cookie=COOKIE if cookie else None)
    assert offered(methods, connection) == expected


def test_a_bearer_counts_before_a_cookie_that_comes_along(world: World) -> None:
    peer = world.peer(world.log_in(), bearer=Ticket("the token of ann"))
    ((_, _, details),) = peer.hello()
    assert (details["authid"], details["authmethod"]) == ("ann", "ticket")


def test_who_names_no_method_and_brings_one_is_never_anonymous(world: World) -> None:
    assert refusal(world.peer(COOKIE).hello()) == DENIED
    ((_, _, details),) = world.peer(world.log_in()).hello()
    assert details["authid"] == "joe"


# --- logins ---


def test_a_login_ends_with_its_sessions_and_no_others(world: World) -> None:
    cookie, other = world.log_in(), world.log_in()
    mine, tab, others = world.join(cookie), world.join(cookie), world.join(other)
    by_ticket = world.routed.peer().join(TOKEN)
    for peer in (mine, tab, others, by_ticket):
        peer.heard()
    assert outcome_of(world.logins.end(cookie))
    for peer in (mine, tab):
        assert peer.heard() == [[6, {"message": "the login was ended"}, REVOKED]]
    assert others.session.established
    assert by_ticket.session.established
    assert refusal(world.peer(cookie).hello(authmethods=["cookie"])) == DENIED
    assert not outcome_of(world.logins.end(cookie))
    assert not outcome_of(world.logins.end(Ticket("nonsense")))


def test_the_next_cookie_of_the_same_user_goes_on_with_the_login(world: World) -> None:
    first = world.log_in()
    session = world.join(first)
    second = world.log_in(before=first)
    assert refusal(world.peer(first).hello(authmethods=["cookie"])) == DENIED
    assert session.session.established
    session.heard()
    assert outcome_of(world.logins.end(second))
    assert session.heard()[0][2] == REVOKED


def test_a_planted_cookie_never_becomes_someone_elses_login(world: World) -> None:
    """An attacker's cookie is in the browser when its user logs in: it opens nothing of hers, nor does hers end his."""
    planted = world.log_in("the token of ann")
    attacker = world.join(planted)
    mine = world.log_in(before=planted)
    assert mine.reveal() != planted.reveal()
    assert refusal(world.peer(planted).hello(authmethods=["cookie"])) == DENIED
    victim = world.join(mine)
    assert victim.session.principal.authid == "joe"
    assert victim.session.principal.login != attacker.session.principal.login


@pytest.mark.parametrize("before", [COOKIE, Ticket("nonsense")])
def test_a_cookie_that_was_there_before_the_login_stays_nobodys(world: World, before: Ticket) -> None:
    made = world.log_in(before=before)
    assert made.reveal() != before.reveal()
    assert refusal(world.peer(before).hello(authmethods=["cookie"])) == DENIED


def test_a_login_that_ends_while_a_session_joins_by_it_ends_that_too(world: World) -> None:
    cookie = world.log_in()
    world.under_test.store.slow = True
    peer = world.peer(cookie)
    assert peer.hello(authmethods=["cookie"]) == []
    world.under_test.store.slow = False
    assert outcome_of(world.logins.end(cookie))
    while world.routed.waiting:
        world.routed.answer()
    assert [message[0] for message in peer.heard()] == [2, 6]


def test_the_token_ends_the_sessions_that_joined_by_its_cookie(world: World) -> None:
    world.watch()
    peer = world.join(world.log_in())
    world.under_test.memory.remove_token(TOKEN)
    assert peer.heard() == [[6, {"message": "the token was revoked"}, REVOKED]]


def test_they_expire_as_the_token_does(world: World) -> None:
    peer = world.join(world.log_in())
    world.routed.pass_time(501)
    assert peer.heard()[0][2] == "wampgate.close.token_expired"


def test_a_logout_at_another_node_ends_them_at_the_next_hint(world: World) -> None:
    standing = world.watch()
    cookie = world.log_in()
    peer, backend = world.join(cookie), world.join(world.log_in("the ticket of backend"))
    name = CookieKeys("realm1").name_of(cookie)
    assert outcome_of(world.cookies.end(str(name))) is not None
    assert peer.session.established
    standing.sweep()
    assert peer.heard() == [[6, {"message": "the login was ended"}, REVOKED]]
    assert backend.session.established


def test_a_session_that_refreshes_its_token_stays_in_its_login(world: World) -> None:
    world.under_test.memory.add_token("another of joe", "joe")
    cookie = world.log_in()
    peer = world.join(cookie)
    router: Any = world.routed.router
    refresh = Refresh(world.tickets, router, None, router._guesses)
    world.routed.run(refresh._go_on(_Asked(peer), outcome_of(_principal(world, "another of joe"))))
    assert peer.session.principal.token_id != outcome_of(_principal(world, TOKEN)).token_id
    assert outcome_of(world.logins.end(cookie))
    assert peer.heard()[0][2] == REVOKED


class _Asked:
    """A call's caller and its result, as a procedure sees them."""

    def __init__(self, peer: Peer) -> None:
        self.caller = peer.session

    def result(self, _: object) -> None:
        """Taken."""


def _principal(world: World, token: str) -> Any:
    return world.tickets.hello(DETAILS, Connection("127.0.0.1:1", "127.0.0.1", bearer=Ticket(token)))


def test_a_static_principals_ticket_makes_one_too(world: World) -> None:
    peer = world.join(world.log_in("the ticket of backend"))
    assert (peer.session.principal.authid, peer.session.principal.user) == ("backend", None)


def test_nothing_that_is_kept_or_shown_tells_a_cookie_or_a_token(world: World) -> None:
    cookie = world.log_in()
    world.join(cookie)
    world.peer(COOKIE).hello(authmethods=["cookie"])
    kept: Any = world.cookies
    everything = json.dumps(world.routed.records, default=str) + repr(vars(kept))
    everything += "".join(str(vars_of(one)) for one, _ in kept._kept.values())
    for secret in (cookie.reveal(), COOKIE.reveal(), TOKEN):
        assert secret not in everything


def vars_of(kept: Any) -> dict[str, str]:
    return {name: getattr(kept, name) for name in ("cookie", "login", "authid", "sealed")}
