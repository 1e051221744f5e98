"""The router's own procedures over the wire: nobody may call them unasked; a kill by address means the client's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import principal, rule, static_configuration, ticket_of
from raw_wamp import GOODBYE, Peer, WampError
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROXY = "127.0.0.9"
DENIED = "wamp.error.not_authorized"


@pytest.fixture(scope="module")
def administered() -> Iterator[RouterProcess]:
    """A router behind a proxy, with someone who may end sessions."""
    configuration = static_configuration(trusted_proxies=[PROXY])
    realm = configuration["realms"][0]
    realm["authentication"]["principals"].append(principal("root", "admin"))
    realm["authorization"]["rules"].append(rule("admin", ["call"], "wampgate.", "prefix"))
    with RouterProcess(configuration) as process:
        yield process


@pytest.mark.parametrize("who", ["alice", "backend", None])
@pytest.mark.parametrize("name", ["wampgate.sessions.kill", "wampgate.explain", "wampgate.auth.refresh"])
def test_nobody_may_unasked(administered: RouterProcess, join: Callable[..., Peer], who: str | None, name: str) -> None:
    peer = join(who, process=administered)
    with pytest.raises(WampError) as refused:
        peer.call(name, [], {"authid": "alice"})
    assert refused.value.uri == DENIED


def test_members_may_ask_for_themselves_and_no_more(demo: RouterProcess) -> None:
    with Peer(demo.port).join(demo.tokens()["alice"]) as alice:
        listed = alice.result(alice.start_call("wampgate.organizations"))
        assert listed[4]["organizations"] == ["7", "8"]
        for name in ("wampgate.sessions.kill", "wampgate.explain", "wampgate.publish"):
            with pytest.raises(WampError) as refused:
                alice.call(name, [], {"authid": "bob"})
            assert refused.value.uri == DENIED


def test_a_kill_by_address_means_the_clients_not_the_proxys(administered: RouterProcess) -> None:
    def client(address: str) -> Peer:
        return Peer(administered.port, headers=[("X-Forwarded-For", address)], source=PROXY).join(ticket_of("alice"))

    with (
        Peer(administered.port).join(ticket_of("root")) as root,
        client("203.0.113.1") as one,
        client("203.0.113.2") as two,
    ):
        assert root.call("wampgate.sessions.kill", [], {"address": PROXY}) == 0
        assert root.call("wampgate.sessions.kill", [], {"address": "203.0.113.1", "message": "bye"}) == 1
        assert one.receive() == [GOODBYE, {"message": "bye"}, "wamp.close.killed"]
        assert two.publish("com.example.still") > 0


def test_an_explanation_names_what_decides(administered: RouterProcess) -> None:
    with Peer(administered.port).join(ticket_of("root")) as root:
        request = root.start_call("wampgate.explain", ["alice", "publish", "com.example.x"])
        assert root.result(request)[4]["allowed"] is True
        request = root.start_call("wampgate.explain", ["alice", "publish", "organization.7"])
        answer = root.result(request)[4]
        assert answer["allowed"] is False
        assert answer["because"]
