"""A reload that changes the operators' listener: it opens, closes, moves and serves otherwise, all or nothing."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from integration.admin.operators import admin_port, fetch, metric, serving_operators, with_operator
from integration.operating.reloading import CHANGED, REFUSED, reload
from redis_server import write_certificates
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from raw_wamp import Peer


def is_closed(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def at(port: int, **more: Any) -> dict[str, Any]:
    return {"endpoint": f"tcp:{port}:interface=127.0.0.1", **more}


def test_it_opens_and_closes() -> None:
    with RouterProcess(static_configuration()) as process:
        told = reload(process, with_operator())
        assert CHANGED in told
        assert "at the next start" not in told
        port = admin_port(process)
        assert fetch(port, "/health/ready").text == "ready\n"
        assert metric(process, "wampgate_ready") == 1
        assert CHANGED in reload(process, static_configuration())
        assert is_closed(port)
        assert fetch(process.port, "/health/live").status == 200


def test_it_moves_and_who_is_connected_stays(open_peer: Callable[..., Peer]) -> None:
    with serving_operators() as process:
        before = admin_port(process)
        operator = open_peer(before).join(ticket_of("operator"))
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        assert CHANGED in reload(process, with_operator(at(port)))
        assert is_closed(before)
        assert fetch(port, "/metrics").status == 200
        assert operator.call("wamp.session.count") == 1
        # Its places are still counted where they are taken, beside the scrape's own.
        assert metric(process, "wampgate_connections", listener="admin") == 2


def test_it_serves_otherwise_on_the_same_socket() -> None:
    with serving_operators() as process:
        port = admin_port(process)
        answered = {"listener": "admin", "status": "404"}
        fetch(port, "/nothing")
        changed = with_operator({"status_page": False, "connections": 7})
        assert CHANGED in reload(process, changed)
        assert admin_port(process) == port
        assert fetch(port, "/").status == 404
        assert metric(process, "wampgate_http_answers_total", **answered) == 2
        assert CHANGED in reload(process, with_operator({"metrics": False}))
        assert fetch(port, "/metrics").status == 404
        assert fetch(port, "/").status == 200


def test_what_may_be_away_is_another_thing() -> None:
    bridge = {
        "type": "redis",
        "name": "news",
        "url": "redis://127.0.0.1:1",
        "rules": [{"dialect": "plain", "channel": "a.{organization}", "topic": "a.{organization}"}],
    }
    document = with_operator()
    document["realms"][0]["bridges"] = [bridge]
    with RouterProcess(document) as process:
        assert fetch(admin_port(process), "/health/ready").status == 503
        changed = {**document, "admin": {**document["admin"], "ready_without": ["bridges"]}}
        assert CHANGED in reload(process, changed)
        assert fetch(admin_port(process), "/health/ready").status == 200


def test_an_endpoint_that_is_taken_changes_nothing(taken: int) -> None:
    with serving_operators() as process:
        port = admin_port(process)
        told = reload(process, with_operator(at(taken, metrics=False)))
        assert REFUSED in told
        assert "admin" in told
        assert str(taken) in told
        assert admin_port(process) == port
        assert fetch(port, "/metrics").status == 200


def test_its_certificate_is_read_anew_though_nothing_else_has_changed(tmp_path: Path) -> None:
    write_certificates(tmp_path, ["localhost", "127.0.0.1"])
    key, certificate = tmp_path / "server.key", tmp_path / "server.pem"
    document = with_operator(
        {"endpoint": f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}", "public": True}
    )
    with RouterProcess(document) as process:
        address = ("127.0.0.1", admin_port(process))
        assert "nothing is different" in reload(process, document)
        write_certificates(tmp_path, ["localhost", "127.0.0.1"])
        assert "the certificate of ssl:0" in reload(process, document)
        assert ssl.get_server_certificate(address).strip() == certificate.read_text().strip()
        key.write_text("no key")
        assert REFUSED in reload(process, document)
        assert ssl.get_server_certificate(address).strip() == certificate.read_text().strip()
