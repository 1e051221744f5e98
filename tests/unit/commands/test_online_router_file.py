"""A command finds its router by router.json without any of the variables that it names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from wampgate.commands.router_file import Whereabouts, url_of, whereabouts

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, document: Any) -> Whereabouts:
    file = folder / "router.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return whereabouts(file)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("tcp:8080:interface=127.0.0.1", "ws://127.0.0.1:8080/ws"),
        ("tcp:8080", "ws://127.0.0.1:8080/ws"),
        ("tcp:port=8080:interface=10.0.0.5", "ws://10.0.0.5:8080/ws"),
        ("tcp:8080:interface=0.0.0.0", "ws://127.0.0.1:8080/ws"),
        ("tcp6:8080:interface=\\:\\:1", "ws://[::1]:8080/ws"),
        ("tcp6:8080:interface=\\:\\:", "ws://127.0.0.1:8080/ws"),
        ("ssl:443:privateKey=key.pem:certKey=cert.pem", "wss://localhost:443/ws"),
        ("tcp:0:interface=127.0.0.1", None),
        ("unix:/run/wampgate.sock", "unix:/run/wampgate.sock"),
        ("unix:address=/run/wampgate.sock:mode=660", "unix:/run/wampgate.sock"),
        ("unix:var/wampgate.sock", None),
        ("systemd:domain=INET:index=0", None),
        ("tcp:${PORT}", None),
        ("", None),
    ],
)
def test_how_an_endpoint_is_reached(endpoint: str, url: str | None) -> None:
    assert url_of(endpoint) == url


def test_the_operators_listener_comes_first(tmp_path: Path) -> None:
    listen = [{"endpoint": "tcp:80"}]
    found = read(tmp_path, {"admin": {"endpoint": "tcp:9000:interface=127.0.0.1"}, "listen": listen})
    assert found.url == "ws://127.0.0.1:9000/ws"
    assert read(tmp_path, {"admin": {}, "listen": listen}).url == "ws://127.0.0.1:8081/ws"
    assert read(tmp_path, {"admin": None, "listen": listen}).url == "ws://127.0.0.1:80/ws"


def test_a_listener_that_serves_no_wamp_is_passed_over(tmp_path: Path) -> None:
    listen = [
        {"endpoint": "tcp:81", "serves": ["backend"]},
        {"endpoint": "systemd:domain=INET:index=0"},
        {"endpoint": "tcp:82", "serves": ["page", "wamp"]},
    ]
    assert read(tmp_path, {"listen": listen, "realms": [{"name": "news"}]}) == Whereabouts(
        "ws://127.0.0.1:82/ws", "news"
    )


def test_a_router_json_without_listeners_has_the_routers_default(tmp_path: Path) -> None:
    assert read(tmp_path, {}) == Whereabouts("ws://127.0.0.1:8080/ws", None)


@pytest.mark.parametrize(
    "document", ["", "{", "7", [], {"listen": 7, "realms": 7}, {"listen": [7], "realms": [7]}, {"listen": [{}]}]
)
def test_a_file_that_is_none_tells_nothing(tmp_path: Path, document: Any) -> None:
    assert read(tmp_path, document) == Whereabouts()


def test_comments_may_stand_in_it(tmp_path: Path) -> None:
    text = '{ // ours\n "realms": [{"name": "news"}, /* more to come */], "listen": [{"endpoint": "tcp:90"}], }'
    assert read(tmp_path, text) == Whereabouts("ws://127.0.0.1:90/ws", "news")


def test_a_realm_by_a_variable_is_not_guessed(tmp_path: Path) -> None:
    assert read(tmp_path, {"realms": [{"name": "${REALM}"}]}).realm is None


def test_no_file_tells_nothing(tmp_path: Path) -> None:
    assert whereabouts(tmp_path / "router.json") == Whereabouts()
