"""A router in which the reader of a page may do all that pages show, as the principal ``alice``."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from router_process import RouterProcess

TOKEN = "the-token-of-alice"
_ALL = ["subscribe", "publish", "call", "register"]


def open_router(origin: str | None = None) -> RouterProcess:
    """Such a router; ``origin`` is that of a page which connects to it."""
    rules: list[dict[str, Any]] = [
        {"role": "reader", "actions": _ALL, "uri": uri, "match": "prefix"} for uri in ("organization.", "com.example.")
    ]
    rules += [
        {"role": "reader", "actions": ["call", "subscribe"], "uri": "wamp.", "match": "prefix"},
        {"role": "reader", "actions": ["call"], "uri": "wampgate.", "match": "prefix"},
    ]
    realm = {
        "name": "realm1",
        "authentication": {
            "principals": [
                {"authid": "alice", "role": "reader", "ticket": TOKEN},
                {"authid": "backend", "role": "reader", "ticket": f"{TOKEN}-too"},
            ]
        },
        "authorization": {"rules": rules},
        "topics": [{"uri": "organization.", "match": "prefix", "history": {"count": 100}}],
    }
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["wamp", "page", "backend"]}]
    return RouterProcess({"listen": listen, "origins": [origin] if origin else [], "realms": [realm]})


def publish(router: RouterProcess, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Publish to organization 7, as a backend does."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{router.port}/publish",
        json.dumps({"topic": "organization.7", "args": args, "kwargs": kwargs}).encode(),
        {"Authorization": f"Bearer {TOKEN}-too", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
