"""What members of two organizations learn of each other by the meta API, on a real store: nothing."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import pytest
from conftest import principal, rule, static_configuration, ticket_of
from integration.revocation.rights import SqliteRows, token_of
from raw_wamp import EVENT, GOODBYE, Peer, WampError
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ON_JOIN, ON_LEAVE = "wamp.session.on_join", "wamp.session.on_leave"
NONE = "wamp.error.no_such_session"
MEMBERS = {"anna": ("7", "8"), "bert": ("7",), "cleo": ("9",)}


class Town:
    """A router on a store with members of organizations, an auditor of the configuration, and guests."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="wampgate-town-"))
            self.rows = SqliteRows(folder)
            for user, organizations in MEMBERS.items():
                self.rows.add_token(token_of(user), user)
                for organization in organizations:
                    self.rows.add_member(organization, user)
            self.router = self._stack.enter_context(RouterProcess(self._configuration()))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def user(self, name: str) -> Peer:
        return self._open().join(token_of(name))

    def auditor(self) -> Peer:
        return self._open().join(ticket_of("auditor"))

    def warden(self) -> Peer:
        return self._open().join(ticket_of("warden"))

    def guest(self) -> Peer:
        return self._open().join()

    def _open(self) -> Peer:
        return self._stack.enter_context(Peer(self.router.port))

    def _configuration(self) -> dict[str, Any]:
        realm = {
            "name": "realm1",
            "store": self.rows.configuration(),
            "authentication": {
                "ticket": {},
                "anonymous": {"role": "guest"},
                "principals": [principal(name, name) for name in ("auditor", "backend", "warden")],
            },
            "authorization": {
                "rules": [
                    *(
                        rule(role, ["call", "subscribe"], "wamp.", "prefix")
                        for role in ("auditor", "member", "guest", "warden")
                    ),
                    rule("auditor", ["subscribe"], "room.", "prefix"),
                    rule("auditor", ["subscribe", "call"], "com.", "prefix"),
                    rule("member", ["subscribe", "call", "register"], "com.", "prefix"),
                    rule("backend", ["publish"], "com.", "prefix"),
                ],
                "topics": [{"topic": "room.{organization}", "actions": ["subscribe", "publish"]}],
            },
        }
        realm["meta_api"] = {"sights": [{"role": "warden", "sees": "own"}]}
        listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["wamp", "page", "backend"]}]
        return static_configuration() | {"listen": listen, "realms": [realm]}


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with Town() as town:
        yield town


def soon(what: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_members_see_their_own_organization(town: Town) -> None:
    anna, bert, cleo, guest, auditor = (
        town.user("anna"),
        town.user("bert"),
        town.user("cleo"),
        town.guest(),
        town.auditor(),
    )
    ids = [peer.session for peer in (anna, bert, cleo, guest, auditor)]
    for peer, seen in (
        (anna, ids[:2]),
        (bert, ids[:2]),
        (cleo, ids[2:3]),
        (guest, ids[3:4]),
        (auditor, ids),
    ):
        listed = peer.call("wamp.session.list")
        assert set(seen) <= set(listed)
        assert not set(ids) - set(seen) & set(listed)
        assert peer.call("wamp.session.count") == len(listed)
        for number in ids:
            if number in seen:
                assert peer.call("wamp.session.get", [number])["session"] == number
                continue
            for name in ("get", "kill"):
                with pytest.raises(WampError) as refused:
                    peer.call(f"wamp.session.{name}", [number])
                assert refused.value.uri == NONE
    assert cleo.call("wamp.session.kill_by_authid", ["anna"]) == []
    assert cleo.call("wamp.session.kill_all") == 0


def test_a_role_that_router_json_shows_less(town: Town) -> None:
    warden, auditor = town.warden(), town.auditor()
    assert warden.call("wamp.session.list") == [warden.session]
    assert warden.session in auditor.call("wamp.session.list")


def test_subscriptions_and_registrations_of_others(town: Town) -> None:
    anna, cleo, auditor = town.user("anna"), town.user("cleo"), town.auditor()
    inside = anna.subscribe("organization.7.plans")
    shared = anna.subscribe("com.shared")
    cleo.subscribe("com.shared")
    registration = anna.register("com.procedure")
    with pytest.raises(WampError) as refused:
        cleo.call("wamp.subscription.get", [inside])
    assert refused.value.uri == "wamp.error.no_such_subscription"
    assert inside not in cleo.call("wamp.subscription.list")["exact"]
    assert cleo.call("wamp.subscription.match", ["organization.7.plans"]) is None
    assert cleo.call("wamp.subscription.list_subscribers", [shared]) == [cleo.session]
    assert cleo.call("wamp.registration.list_callees", [registration]) == []
    assert auditor.call("wamp.subscription.count_subscribers", [shared]) == 2
    assert auditor.call("wamp.registration.list_callees", [registration]) == [anna.session]


def test_events_are_for_those_who_may_see_what_they_are_about(town: Town) -> None:
    bert, cleo, auditor = town.user("bert"), town.user("cleo"), town.auditor()
    topics = (ON_JOIN, ON_LEAVE, "wamp.subscription.on_subscribe", "wamp.registration.on_register")
    for peer in (bert, cleo, auditor):
        for topic in topics:
            peer.subscribe(topic)
    anna = town.user("anna")
    anna.subscribe("organization.7.news")
    anna.subscribe("organization.8.news")
    anna.register("com.anna")
    anna.leave()

    def heard(peer: Peer) -> int:
        return sum(anna.session in (event[4][0], *_values(event[4][0])) for event in peer.events())

    # Joining, a registration and leaving are for both; the subscription to organization.7.news for bert alone,
    # since the auditor could have no such one itself, and that to organization.8.news for neither.
    assert (heard(auditor), heard(bert), heard(cleo)) == (3, 4, 0)


def _values(argument: Any) -> tuple[Any, ...]:
    return tuple(argument.values()) if isinstance(argument, dict) else ()


def test_a_membership_that_ends_ends_the_view(town: Town) -> None:
    bert = town.user("bert")
    town.rows.add_token(token_of("dora"), "dora")
    town.rows.add_member("7", "dora")
    dora = town.user("dora")
    assert bert.session in dora.call("wamp.session.list")
    town.rows.drop_member("7", "dora")
    soon(lambda: bert.session not in dora.call("wamp.session.list"))
    assert dora.call("wamp.session.list") == [dora.session]
    dora.subscribe(ON_LEAVE)
    bert.leave()
    assert dora.events() == []


def test_a_testament_of_a_member_that_is_none_any_more(town: Town) -> None:
    auditor = town.auditor()
    auditor.subscribe("room.7")
    town.rows.add_token(token_of("emil"), "emil")
    town.rows.add_member("7", "emil")
    for member in (True, False):
        emil = town.user("emil")
        emil.call("wamp.session.add_testament", ["room.7", ["emil"], {}])
        if not member:
            emil.subscribe("wampgate.organizations.changed")
            town.rows.drop_member("7", "emil")
            assert emil.receive()[0] == EVENT
        emil.leave()
        assert [event[4] for event in auditor.events()] == ([["emil"]] if member else [])
    town.router.wait_for_log("a testament of session")


def test_a_token_that_is_revoked_with_its_membership(town: Town) -> None:
    """The session ends because its rights do: what it has left may not be published by them."""
    auditor = town.auditor()
    auditor.subscribe("room.7")
    town.rows.add_token(token_of("fred"), "fred")
    town.rows.add_member("7", "fred")
    fred = town.user("fred")
    fred.call("wamp.session.add_testament", ["room.7", ["fred"], {}])
    town.rows.execute(
        "BEGIN; DELETE FROM organization_members WHERE user_id = 'fred'; "
        "DELETE FROM oauth_access_tokens WHERE user_id = 'fred'; COMMIT"
    )
    assert fred.receive()[0] == GOODBYE
    town.router.wait_for_log(f"session {fred.session} of 'fred' (member) on 'room.7' is not published")
    assert auditor.events() == []


def test_requests_over_http_are_nobody_s_news(town: Town) -> None:
    auditor = town.auditor()
    for topic in (ON_JOIN, ON_LEAVE):
        auditor.subscribe(topic)
    auditor.subscribe("com.news")
    request = urllib.request.Request(
        f"http://127.0.0.1:{town.router.port}/publish",
        data=json.dumps({"topic": "com.news", "args": ["text"]}).encode(),
        headers={"Authorization": f"Bearer {ticket_of('backend')}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.status == 200
    assert [event[4] for event in auditor.events()] == [["text"]]


def test_a_shutdown_is_quiet_and_quick() -> None:
    """Everyone leaves testaments and listens to everyone's: nobody is told, and it takes no time."""
    with Town() as town:
        listeners = [town.auditor() for _ in range(20)]
        for listener in listeners:
            listener.subscribe("room.7")
            listener.subscribe(ON_LEAVE)
        for _ in range(20):
            town.user("bert").call("wamp.session.add_testament", ["room.7", ["bert"], {}])
        begun = time.monotonic()
        assert town.router.stop() == 0
        assert time.monotonic() - begun < 5
        for listener in listeners:
            assert listener.closed()[0] == 1012
