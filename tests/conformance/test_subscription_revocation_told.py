"""WAMP Advanced Profile, "Subscription Revocation": on a router with a store, where a membership ends."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration
from integration.revocation.rights import SqliteRows, token_of
from raw_rawsocket import RawPeer
from raw_wamp import EVENT, SUBSCRIBE, UNSUBSCRIBED, Peer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Wamp

REVOKED = "wamp.error.not_authorized"


class Town:
    """A router whose members lose what they had."""

    def __init__(self, folder: str) -> None:
        self.rows = SqliteRows(folder)
        realm = {"name": "realm1", "store": self.rows.configuration(), "authentication": {"ticket": {}}}
        configuration = static_configuration(subscription_revocation="always", realms=[realm])
        self.router = RouterProcess(configuration)
        self._users = 0

    def member(self) -> str:
        """A new user of organization 7."""
        self._users += 1
        user = f"user{self._users}"
        self.rows.add_token(token_of(user), user)
        self.rows.add_member("7", user)
        return user


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with tempfile.TemporaryDirectory(prefix="wampgate-town-") as folder:
        town = Town(folder)
        with town.router:
            yield town


@pytest.fixture
def enter(town: Town, serializer: str, transport: str) -> Iterator[Callable[..., tuple[Wamp, str]]]:
    """Opens sessions of members, who announce the feature or don't."""
    peers: list[Wamp] = []

    def enter(*, announced: bool) -> tuple[Wamp, str]:
        user = town.member()
        features: dict[str, Any] = {"features": {"subscription_revocation": True}} if announced else {}
        peer = (RawPeer if transport == "rawsocket" else Peer)(town.router.port, serializer)
        peers.append(peer)
        return peer.join(token_of(user), roles={"subscriber": features}), user

    yield enter
    for peer in peers:
        peer.close()


def test_it_is_announced(enter: Callable[..., tuple[Wamp, str]]) -> None:
    peer, _ = enter(announced=True)
    assert peer.welcome["roles"]["broker"]["features"]["subscription_revocation"] is True


def test_who_announces_it_is_sent_unsubscribed_with_the_id_0(
    town: Town, enter: Callable[..., tuple[Wamp, str]]
) -> None:
    peer, user = enter(announced=True)
    subscription = peer.subscribe("organization.7")
    town.rows.drop_member("7", user)
    assert peer.receive() == [UNSUBSCRIBED, 0, {"subscription": subscription, "reason": REVOKED}]
    # It is gone: to unsubscribe it is an error, and to subscribe anew is not allowed.
    peer.send(SUBSCRIBE, peer.next_request(), {}, "organization.7")
    assert peer.receive()[4] == REVOKED


def test_who_does_not_learns_of_it_by_an_event(town: Town, enter: Callable[..., tuple[Wamp, str]]) -> None:
    peer, user = enter(announced=False)
    told = peer.subscribe("wampgate.revoked")
    subscription = peer.subscribe("organization.7")
    town.rows.drop_member("7", user)
    event = peer.receive()
    assert event[:2] == [EVENT, told]
    assert event[5] | {"message": ""} == {
        "topic": "organization.7",
        "match": "exact",
        "subscription": subscription,
        "reason": REVOKED,
        "message": "",
    }
    assert peer.events() == []
