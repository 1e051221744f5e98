"""Where the router of a router.json listens, read without its secrets: a command needs no variable that it names."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wampgate.config.comments import without_comments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH: Final = "/ws"
_SCHEMES: Final = {"tcp": "ws", "tcp6": "ws", "ssl": "wss"}
_PART: Final = re.compile(r"(?:[^:\\]|\\.)+")
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - what is listened on, to be told from what one connects to


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What router.json says to those who want to connect.

    Attributes:
        url: a WebSocket's, of the operators' listener or else of the first that serves WAMP; None if none can be named.
        realm: the first realm's name; None if it has none.
    """

    url: str | None = None
    realm: str | None = None


def whereabouts(path: Path) -> Whereabouts:
    """Read a router.json; a file that is not there or is none tells nothing, as `wampgate check` is for that."""
    try:
        document = json.loads(without_comments(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError):
        return Whereabouts()
    if not isinstance(document, dict):
        return Whereabouts()
    urls = (url for endpoint in _endpoints(document) if (url := url_of(endpoint)) is not None)
    return Whereabouts(next(urls, None), _realm(document))


def _endpoints(document: dict[str, Any]) -> Iterator[str]:
    admin = document.get("admin")
    if isinstance(admin, dict):
        yield str(admin.get("endpoint", "tcp:8081:interface=127.0.0.1"))
    listen = document.get("listen", [{"endpoint": "tcp:8080:interface=127.0.0.1"}])
    for listener in listen if isinstance(listen, list) else ():
        if isinstance(listener, dict) and "wamp" in listener.get("serves", ("wamp",)):
            yield str(listener.get("endpoint"))


def url_of(endpoint: str) -> str | None:
    """What ``--url`` has to be to reach a Twisted server endpoint from this machine; None where that is not sure."""
    kind, *parts = [re.sub(r"\\(.)", r"\1", part) for part in _PART.findall(endpoint)] or [""]
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    port = named.get("port") or next((part for part in parts if "=" not in part), "")
    if kind == "unix":
        path = named.get("address") or next((part for part in parts if "=" not in part), "")
        return f"unix:{path}" if path.startswith("/") else None
    if kind not in _SCHEMES or not port.isdecimal() or port == "0":
        return None
    host = named.get("interface", "")
    if host in _EVERYWHERE:
        host = "localhost" if kind == "ssl" else "127.0.0.1"
    return f"{_SCHEMES[kind]}://{f'[{host}]' if ':' in host else host}:{port}{PATH}"


def socket_of(url: str) -> str | None:
    """The path of the Unix socket that a ``--url`` names; None for a URL of a WebSocket."""
    return url.removeprefix("unix:") if url.startswith("unix:") else None


def _realm(document: dict[str, Any]) -> str | None:
    realms = document.get("realms")
    first = realms[0] if isinstance(realms, list) and realms else None
    name = first.get("name") if isinstance(first, dict) else None
    return name if isinstance(name, str) and "${" not in name else None
