"""What operators are served and nobody else, and that no crowd keeps them out."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration, ticket_of
from integration.admin.operators import admin_port, fetch, metric, serving_operators, with_operator
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import Ended, RawConnection, Refused
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPERATORS_ONLY = ("/metrics", "/health/ready", "/status.js", "/status.css", "/usage.csv")


@pytest.fixture(scope="module")
def served() -> Iterator[RouterProcess]:
    with serving_operators() as process:
        yield process


@pytest.mark.parametrize("serves", [["wamp", "page"], ["wamp", "page", "backend"], ["backend"], ["page"]], ids=str)
def test_a_public_listener_serves_liveness_and_nothing_else_of_it(serves: list[str]) -> None:
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": serves}]
    with serving_operators(listen=listen) as process:
        for path in OPERATORS_ONLY:
            assert fetch(process.port, path).status == 404, path
        alive = fetch(process.port, "/health/live")
        assert (alive.status, alive.body) == (200, b"ok\n")
        assert b"status.js" not in fetch(process.port, "/").body


def test_the_operators_listener_serves_all_of_it(served: RouterProcess) -> None:
    port = admin_port(served)
    assert fetch(port, "/health/live").body == b"ok\n"
    assert fetch(port, "/health/ready").text == "ready\n"
    assert "wampgate_sessions" in fetch(port, "/metrics").text
    page = fetch(port, "/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in ("/status.js", "/status.css"):
        assert fetch(port, path).status == 200
    assert fetch(port, "/openapi.json").status == 200
    assert fetch(port, "/ws").status == 426
    # The page for everybody is the public listener's.
    assert fetch(port, "/page.js").status == 404
    assert fetch(port, "/__init__.py").status == 404
    assert fetch(port, "/../service.py").status == 404


def test_every_answer_has_the_headers_that_keep_pages_apart(served: RouterProcess) -> None:
    for path in ("/", "/metrics", "/health/ready", "/health/live", "/nothing", "/status.js"):
        answer = fetch(admin_port(served), path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
    for path in ("/metrics", "/health/ready", "/health/live"):
        assert fetch(admin_port(served), path).headers["cache-control"] == "no-store"


def test_a_rebound_name_and_a_foreign_page_reach_nothing(served: RouterProcess, open_peer: Callable[..., Peer]) -> None:
    port = admin_port(served)
    for path in ("/metrics", "/health/ready", "/", "/call"):
        assert fetch(port, path, Host="rebound.example").status == 421
    with pytest.raises(Refused) as refused:
        open_peer(port, headers=[("Origin", "https://rebound.example")])
    assert refused.value.response.status == 403


@pytest.mark.parametrize("address", ["10.1.2.3:8081", "10.1.2.3", "[fd00::7]:8081", "[::1]"])
def test_who_asks_by_an_address_is_answered(served: RouterProcess, address: str) -> None:
    """As Kubernetes' probes and Prometheus ask: no page elsewhere can have an address lead to another place."""
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert fetch(admin_port(served), path, Host=address).status == 200, path


@pytest.mark.parametrize("name", ["10.1.2.3.example.org", "10.1.2.3.4", "0x7f000001", "167838211", "fd00::7", "[x]"])
def test_what_only_looks_like_an_address_is_none(served: RouterProcess, name: str) -> None:
    assert fetch(admin_port(served), "/health/ready", Host=name).status in (400, 421)


def test_a_page_elsewhere_gets_no_further_by_an_address(served: RouterProcess, open_peer: Callable[..., Peer]) -> None:
    port = admin_port(served)
    for origin in ("https://rebound.example", "http://10.1.2.3:8081"):
        with pytest.raises(Refused) as refused:
            open_peer(port, headers=[("Origin", origin)])
        assert refused.value.response.status == 403
        answer = fetch(port, "/metrics", Host="10.1.2.3:8081", Origin=origin)
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    # By an address as by a name: a page of its own is not one of elsewhere, and elsewhere is not served at all.
    assert fetch(served.port, "/health/live", Host="10.1.2.3:8081").status == 421


def test_others_than_get_are_not_answered(served: RouterProcess) -> None:
    port = admin_port(served)
    for path in ("/metrics", "/health/ready"):
        assert fetch(port, path, "POST").status == 405
        assert fetch(port, path, "POST", {"a": 1}).status == 413
        assert fetch(port, path, "HEAD").status == 200


def test_an_operator_acts_by_wamp_and_by_http(served: RouterProcess, open_peer: Callable[..., Peer]) -> None:
    port = admin_port(served)
    operator = open_peer(port).join(ticket_of("operator"))
    count = operator.call("wamp.session.count")
    assert count >= 1
    bearer = f"Bearer {ticket_of('operator')}"
    called = fetch(port, "/call", "POST", {"procedure": "wamp.session.count"}, Authorization=bearer)
    assert (called.status, called.json["args"]) == (200, [count])


def test_who_is_no_operator_gets_no_further_there(served: RouterProcess, open_peer: Callable[..., Peer]) -> None:
    port = admin_port(served)
    alice = open_peer(port).join(ticket_of("alice"))
    with pytest.raises(WampError) as refused:
        alice.call("wamp.session.count")
    assert refused.value.uri == "wamp.error.not_authorized"
    peer = open_peer(port)
    with pytest.raises(Aborted):
        peer.join("a wrong ticket")
    bearer = f"Bearer {ticket_of('alice')}"
    assert fetch(port, "/call", "POST", {"procedure": "wamp.session.count"}, Authorization=bearer).status == 403
    assert fetch(port, "/call", "POST", {"procedure": "wamp.session.count"}).status == 401


def is_open(port: int) -> bool:
    try:
        with RawConnection(port) as connection:
            return connection.request("/health/live").status == 200
    except (Ended, OSError):
        return False


@pytest.mark.parametrize(
    "limits",
    [{"connections": 5}, {"connections_per_address": 5}, {"unauthenticated_connections": 5}],
    ids=str,
)
def test_a_crowd_at_the_public_listener_keeps_no_operator_out(
    limits: dict[str, int], open_peer: Callable[..., Peer]
) -> None:
    with serving_operators(limits=limits) as process, ExitStack() as held:
        port = admin_port(process)
        for _ in range(5):
            held.enter_context(RawConnection(process.port))
        process_is_full(process)
        assert fetch(port, "/metrics").status == 200
        operator = open_peer(port).join(ticket_of("operator"))
        assert operator.call("wamp.session.count") == 1


def process_is_full(process: RouterProcess) -> None:
    for _ in range(100):
        if not is_open(process.port):
            return
        time.sleep(0.02)
    raise AssertionError("the public listener still takes connections")


def test_those_who_guess_tokens_elsewhere_keep_no_operator_out(open_peer: Callable[..., Peer]) -> None:
    limits = {"failed_logins_per_address_per_minute": 3, "failed_logins_per_minute": 3}
    with serving_operators(limits=limits) as process:
        for _ in range(5):
            peer = open_peer(process.port)
            with pytest.raises(Aborted):
                peer.join("a guess")
        peer = open_peer(process.port)
        with pytest.raises(Aborted):
            peer.join(ticket_of("alice"))
        operator = open_peer(admin_port(process)).join(ticket_of("operator"))
        assert operator.call("wamp.session.count") == 1


def test_the_operators_listener_has_its_own_limit() -> None:
    with serving_operators({"connections": 3}) as process, ExitStack() as held:
        port = admin_port(process)
        for _ in range(3):
            held.enter_context(RawConnection(port))
        time.sleep(0.1)
        assert not is_open(port)
        assert is_open(process.port)


def test_what_is_switched_off_is_not_there() -> None:
    with serving_operators({"metrics": False, "status_page": False}) as process:
        port = admin_port(process)
        for path in ("/metrics", "/", "/index.html", "/status.js"):
            assert fetch(port, path).status == 404, path
        assert fetch(port, "/health/ready").status == 200


def test_without_the_section_nothing_listens_for_operators() -> None:
    with RouterProcess(static_configuration()) as process:
        assert "operators are served" not in process.log()


def test_an_endpoint_that_others_can_reach_has_to_be_said_twice() -> None:
    process = serving_operators({"endpoint": "tcp:0"})
    process.launch()
    assert process.wait() == 1
    assert "admin.endpoint" in process.log()
    assert "public = true" in process.log()
    process.stop()
    process.folder.joinpath("router.json").unlink()
    with serving_operators({"endpoint": "tcp:0", "public": True}) as process:
        assert fetch(admin_port(process), "/health/ready").status == 200


def test_a_router_that_takes_anothers_place_serves_operators_from_its_start_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        public, port = one.getsockname()[1], other.getsockname()[1]
    listen = [{"endpoint": f"tcp:{public}:interface=127.0.0.1", "reuse_port": True}]
    document = with_operator({"endpoint": f"tcp:{port}:interface=127.0.0.1"}, listen=listen)
    with ExitStack() as running:
        before = running.enter_context(RouterProcess(document))
        after = running.enter_context(RouterProcess(document))
        before.stop()
        assert fetch(port, "/health/ready").text == "ready\n"
        assert metric(after, "process_start_time_seconds") > 0
