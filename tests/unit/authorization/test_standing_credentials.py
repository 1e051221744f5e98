"""Credentials in the store that end or change while sessions live that joined by them."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import Peer, RealmUnderTest, Routed

from wampgate.authentication.mock_credentials import MockCredentials
from wampgate.authentication.sources import CredentialChain, KnownPrincipals
from wampgate.authentication.wampcra import WampcraAuthenticator, signature_of
from wampgate.authorization.standing import Standing
from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Change, Credentials

EXPIRED = "wampgate.close.token_expired"
REVOKED = "wampgate.close.token_revoked"
DENIED = "wamp.error.authentication_denied"


class World:
    """A router whose realm knows its principals from the memory store, by wampcra."""

    def __init__(self) -> None:
        self.under_test = RealmUnderTest()
        self.routed = Routed(self.under_test)
        self.memory = self.under_test.memory
        authenticators: Any = self.under_test.realm.authenticators
        chain = CredentialChain([self.memory], reserved=["backend"])
        mock = MockCredentials([Credentials("", "", "store", {"secret": "x"})])
        authenticators["wampcra"] = WampcraAuthenticator(
            KnownPrincipals(chain, role="member", now=self.routed.clock), mock
        )
        self.standing = Standing(
            self.under_test.realm,
            self.routed.router,
            self.under_test.store,
            self.under_test.memberships,
            now=self.routed.clock,
            run=self.routed.run,
            credentials=self.memory,
        )

    def add(self, authid: str, **more: Any) -> None:
        self.memory.add_credentials("wampcra", authid, data={"secret": f"of {authid}"} | more.pop("data", {}), **more)

    def begin(self, authid: str, secret: str = "") -> tuple[Peer, list[Any]]:
        """A peer that has its challenge, and its answer to it."""
        peer = self.routed.peer()
        ((_, _, extra),) = peer.hello(authmethods=["wampcra"], authid=authid)
        return peer, [5, signature_of(secret or f"of {authid}", extra["challenge"]).decode(), {}]

    def join(self, authid: str) -> Peer:
        peer, answer = self.begin(authid)
        (welcome,) = peer.say(*answer)
        assert welcome[0] == 2, welcome
        return peer


@pytest.fixture
def world() -> World:
    world = World()
    world.add("joe")
    world.add("ann", role="guest")
    return world


def ended(peer: Peer) -> bool:
    heard = peer.heard()
    assert heard in ([], [[6, {"message": "the credentials were revoked or have changed"}, REVOKED]])
    return bool(heard)


def test_a_row_that_goes_ends_its_sessions_and_no_others(world: World) -> None:
    joe, tab, ann = world.join("joe"), world.join("joe"), world.join("ann")
    world.memory.remove_credentials("wampcra", "joe")
    assert (ended(joe), ended(tab), ended(ann)) == (True, True, False)
    peer, answer = world.begin("joe")
    assert peer.say(*answer)[0][2] == DENIED


@pytest.mark.parametrize(
    "change",
    [{"role": "admin"}, {"user": "7"}, {"data": {"secret": "another"}}, {"data": {"extra": {"x": 1}}}],
    ids=["role", "user", "secret", "extra"],
)
def test_a_row_that_changes_ends_them_too(world: World, change: dict[str, Any]) -> None:
    joe, ann = world.join("joe"), world.join("ann")
    world.add("joe", **change)
    assert (ended(joe), ended(ann)) == (True, False)


def test_a_row_that_is_written_anew_alike_does_not(world: World) -> None:
    joe = world.join("joe")
    world.add("joe")
    assert not ended(joe)


def test_another_method_s_row_of_the_same_name_does_not_matter(world: World) -> None:
    world.memory.add_credentials("tls", "joe", "ab" * 32)
    joe = world.join("joe")
    world.memory.remove_credentials("tls", "joe", "ab" * 32)
    assert not ended(joe)


def test_what_became_garbage_ends_them(world: World) -> None:
    joe = world.join("joe")
    world.memory.add_credentials("wampcra", "joe", data={"secret": 7})
    assert ended(joe)


def test_a_session_ends_when_its_row_does(world: World) -> None:
    world.add("joe", seconds=100)
    joe = world.join("joe")
    world.routed.pass_time(99)
    assert joe.session.established
    world.routed.pass_time(2)
    assert joe.heard()[0][2] == EXPIRED


def test_a_row_that_is_shortened_or_extended_moves_the_end(world: World) -> None:
    world.add("joe", seconds=1000)
    world.add("ann", role="guest", seconds=30)
    joe, ann = world.join("joe"), world.join("ann")
    world.add("joe", seconds=30)
    world.add("ann", role="guest")
    world.routed.pass_time(31)
    assert joe.heard()[0][2] == EXPIRED
    assert ann.session.established


def test_the_user_s_memberships_count(world: World) -> None:
    world.add("joe", user="7")
    world.memory.add_membership("7", "acme")
    joe = world.join("joe")
    assert joe.ask(32, {}, "organization.acme")[0][0] == 33
    world.memory.remove_membership("7", "acme")
    assert joe.session.established
    assert joe.ask(32, {}, "organization.acme")[0][4] == "wamp.error.not_authorized"


def test_a_sweep_finds_what_no_one_told_of(world: World) -> None:
    joe, ann = world.join("joe"), world.join("ann")
    world.memory.watch(lambda _: None)
    world.memory.remove_credentials("wampcra", "joe")
    assert not ended(joe)
    world.standing.sweep()
    assert (ended(joe), ended(ann)) == (True, False)


def test_a_store_that_is_down_takes_nothing_away(world: World) -> None:
    joe = world.join("joe")
    world.memory.go_down()
    world.memory.remove_credentials("wampcra", "joe")
    world.standing.sweep()
    assert not ended(joe)
    world.memory.come_back()
    assert ended(joe)


def test_a_change_between_challenge_and_answer_counts(world: World) -> None:
    peer, answer = world.begin("joe")
    world.memory.remove_credentials("wampcra", "joe")
    heard = peer.say(*answer)
    assert [message[0] for message in heard] == [2, 6]
    assert heard[1][2] == REVOKED


def test_an_answer_that_a_change_overtook_does_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store says that the row is gone; before that is acted on, it is told that it is back."""
    joe = world.join("joe")
    asked = world.memory.credentials_of
    overtaken = False

    async def gone_at_first(known: Any) -> Any:
        nonlocal overtaken
        if overtaken:
            return await asked(known)
        overtaken = True
        world.standing.changed(Change(users=frozenset({"joe"})))
        return {}

    monkeypatch.setattr(world.memory, "credentials_of", gone_at_first)
    world.standing.sweep()
    assert not ended(joe)


def test_nobody_asks_where_nobody_joined_by_such_a_row(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(_: Any) -> Any:
        raise StoreUnavailable("must not be asked")

    monkeypatch.setattr(world.memory, "credentials_of", unavailable)
    token = world.under_test.add_user("eve", "7")
    world.routed.peer().join(token)
    world.standing.sweep()
    assert world.under_test.realm.counters["standing_unavailable"] == 0


def test_nothing_is_kept_of_those_who_left(world: World) -> None:
    joe, tab = world.join("joe"), world.join("joe")
    joe.leave()
    tab.leave()
    assert world.standing._sessions_by_authid == {}
