"""What the tests of reload and drain have in common: a router whose router.json changes under it."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

from conftest import static_configuration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router_process import RouterProcess

CHANGED = " reloaded: "
REFUSED = "not reloaded, nothing has changed: "


def operated(**more: Any) -> dict[str, Any]:
    """The configuration of :func:`static_configuration`, in which carol is an operator."""
    configuration = static_configuration(**more)
    realm = configuration["realms"][0]
    for principal in realm["authentication"]["principals"]:
        if principal["authid"] == "carol":
            principal["role"] = "operator"
    realm["authorization"]["rules"] += [
        {"role": "operator", "actions": ["call"], "uri": "wampgate.", "match": "prefix"},
        {"role": "operator", "actions": ["call"], "uri": "wamp.", "match": "prefix"},
    ]
    return configuration


def write(process: RouterProcess, configuration: Mapping[str, Any] | str) -> None:
    """Replace router.json, as an editor or a deployment does."""
    text = configuration if isinstance(configuration, str) else json.dumps(configuration, indent=2)
    (process.folder / "router.json").write_text(text)


def reload(process: RouterProcess, configuration: Mapping[str, Any] | str) -> str:
    """Replace router.json and send SIGHUP; the line that says what became of it."""
    before = _told(process.log())
    write(process, configuration)
    process.signal(signal.SIGHUP)
    told = before
    for _ in range(1500):
        told = _told(process.log())
        if len(told) > len(before):
            break
        _nap()
    assert len(told) > len(before), process.log()[-5_000:]
    return told[len(before)]


def _told(log: str) -> list[str]:
    return [line for line in log.splitlines() if "reloaded: " in line or REFUSED in line]


def _nap() -> None:
    import time

    time.sleep(0.02)
