"""A router with an operator and an audit log, and what they say."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conftest import principal, rule, static_configuration

if TYPE_CHECKING:
    from pathlib import Path

    from raw_wamp import Peer


def administered(**more: Any) -> dict[str, Any]:
    """The configuration of :func:`conftest.static_configuration`, with olga, who is an operator."""
    configuration = static_configuration(**{"audit": {"file": "audit.log"}, **more})
    realm = configuration["realms"][0]
    realm["authentication"]["principals"].append(principal("olga", "operator"))
    realm["authorization"]["rules"] += [
        rule("operator", ["call"], "wampgate.", "prefix"),
        rule("operator", ["call"], "wamp.", "prefix"),
    ]
    realm["meta_api"] = {"sights": [{"role": "operator", "sees": "all"}]}
    return configuration


def told(peer: Peer, procedure: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The keyword arguments that a call is answered with."""
    result = peer.result(peer.start_call(procedure, list(args), kwargs))
    return dict(result[4]) if len(result) > 4 else {}


def entries(path: Path) -> list[dict[str, Any]]:
    """The lines of an audit log, each an object of its own."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_for_entry(path: Path, seconds: float = 15.0, **fields: Any) -> dict[str, Any]:
    """The first entry that has these fields, once it is there."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(FileNotFoundError):
            for entry in entries(path):
                if fields.items() <= entry.items():
                    return entry
        assert time.monotonic() < deadline, (fields, path.read_text()[-5000:] if path.exists() else "no file")
        time.sleep(0.05)
