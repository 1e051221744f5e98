"""The sites behind the port: the page's files, the liveness answer, and what else a listener serves beside them."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from wampgate.http.channel import DEADLINE_SECONDS, NoBodies, Site
from wampgate.http.resources import NOT_FOUND, File, Fixed, Node
from wampgate.http.responses import TEXT, Response

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from twisted.internet.interfaces import IReactorTime

    from wampgate.http.channel import Bodies

FILES: Final = {
    "index.html": b"text/html; charset=utf-8",
    "style.css": b"text/css; charset=utf-8",
    "page.js": b"text/javascript; charset=utf-8",
    "panel.js": b"text/javascript; charset=utf-8",
    "demo.js": b"text/javascript; charset=utf-8",
    "reasons.js": b"text/javascript; charset=utf-8",
    "wamp.js": b"text/javascript; charset=utf-8",
    "recovery.js": b"text/javascript; charset=utf-8",
    "live.js": b"text/javascript; charset=utf-8",
    "live_links.js": b"text/javascript; charset=utf-8",
    "live_plan.js": b"text/javascript; charset=utf-8",
    "live_subscription.js": b"text/javascript; charset=utf-8",
    "icon.svg": b"image/svg+xml",
}
"""The page's files and their content types; no other name is ever looked up."""

UPGRADE: Final = Response(426, b"WAMP is spoken here: connect with a WebSocket.\n", TEXT, ((b"Upgrade", b"websocket"),))
ALIVE: Final = Response(200, b"ok\n", TEXT, ((b"Cache-Control", b"no-store"),))


def make_site(
    *,
    wamp: bool = True,
    page: bool = True,
    more: Mapping[bytes, Node] | None = None,
    absent: Response = NOT_FOUND,
    bodies: Bodies | None = None,
    deadline: float = DEADLINE_SECONDS,
    reactor: IReactorTime | None = None,
    answered: Counter[int] | None = None,
) -> Site:
    """A site that answers ``ok`` at ``/health/live``, and serves what it is told to.

    The files are read once, here.

    Args:
        wamp: whether WebSockets are taken at ``/ws``, so that others who come there are told.
        page: whether the page is served at ``/``.
        more: what is served beside, by the path's first component.
        absent: what is answered where there is nothing.
        bodies: which requests may have a body; None for none.
        deadline: how long a connection may take to bring its request, and then to take
            its answer, in seconds.
        reactor: whose clock counts the deadline; None for the global reactor.
        answered: where its answers are counted, by status; None for a counter of its own.

    Raises:
        FileNotFoundError: the installation lacks one of the page's files.
    """
    nodes = {**(_page() if page else {}), **(more or {})}
    if wamp:
        nodes[b"ws"] = Fixed(UPGRADE)
    nodes[b"health"] = Node({b"live": Fixed(ALIVE)}, absent)
    return Site(Node(nodes, absent), bodies or NoBodies(), deadline, reactor, answered)


def _page() -> dict[bytes, Node]:
    nodes: dict[bytes, Node] = {name.encode(): File(_read(name), content_type) for name, content_type in FILES.items()}
    nodes[b""] = nodes[b"index.html"]
    return nodes


def _read(name: str) -> bytes:
    return resources.files("wampgate.http").joinpath("page", name).read_bytes()
