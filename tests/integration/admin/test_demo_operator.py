"""The demo's operator: where it looks is printed, what it may do, and that the demo's others may not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from integration.admin.operators import admin_port, fetch
from raw_wamp import Peer, WampError
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_status_page_is_printed_with_its_token(demo: RouterProcess) -> None:
    token = demo.tokens()["operator"]
    demo.wait_for_log("Stop with Ctrl-C")
    found = re.search(r"status page \(operator\) +(http://127\.0\.0\.1:\d+)/#token=(\S+)", demo.log())
    assert found is not None, demo.log()
    assert found[1] == f"http://127.0.0.1:{admin_port(demo)}"
    assert found[2] == token
    assert demo.log().count(token) == 1
    assert fetch(admin_port(demo), "/").status == 200
    assert "wampgate_sessions" in fetch(admin_port(demo), "/metrics").text
    assert fetch(demo.port, "/metrics").status == 404


def test_the_operator_looks_and_does_not_publish(demo: RouterProcess, open_peer: Callable[..., Peer]) -> None:
    operator = open_peer(admin_port(demo)).join(demo.tokens()["operator"])
    alice = open_peer(demo.port).join(demo.tokens()["alice"])
    assert alice.session in operator.call("wamp.session.list")
    assert operator.call("wamp.session.get", [alice.session])["authid"] == "alice"
    operator.call("wampgate.status.get")
    for act in (lambda: operator.publish("organization.7", ["x"]), lambda: operator.subscribe("organization.7")):
        with pytest.raises(WampError) as refused:
            act()
        assert refused.value.uri == "wamp.error.not_authorized"


@pytest.mark.parametrize("who", ["alice", "bob", "backend"])
def test_nobody_else_looks(demo: RouterProcess, open_peer: Callable[..., Peer], who: str) -> None:
    peer = open_peer(admin_port(demo)).join(demo.tokens()[who])
    for procedure in ("wampgate.status.get", "wamp.session.list", "wampgate.sessions.kill"):
        with pytest.raises(WampError) as refused:
            peer.call(procedure)
        assert refused.value.uri == "wamp.error.not_authorized"


def test_where_it_listens_can_be_chosen() -> None:
    with RouterProcess(arguments=["--admin-port", "0"]) as process:
        port = admin_port(process)
    with RouterProcess(arguments=["--admin-port", str(port)]) as process:
        assert admin_port(process) == port
        assert fetch(port, "/health/ready").text == "ready\n"
