"""The operators' site: metrics, readiness, the status page's files, and what backends are served as well."""

# twisted.web's resources and requests carry no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate.http.channel import DEADLINE_SECONDS, Site
from wampgate.http.resources import NOT_FOUND, File, Fixed, Node, write
from wampgate.http.responses import TEXT, Response
from wampgate.http.site import ALIVE, UPGRADE
from wampgate.http.status import read_files

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from twisted.internet.interfaces import IReactorTime
    from twisted.web.server import Request

    from wampgate.http.channel import Bodies

    Written = Callable[[str], tuple[bytes, str]]
    Asked = Callable[[], tuple[str, Sequence[str]]]

_INDEX: Final = b"index.html"
_NO_STORE: Final = (b"Cache-Control", b"no-store")
_BY_ACCEPT: Final = (b"Vary", b"Accept")

BESIDE: Final = frozenset({b"/", b"/ws", b"/metrics", b"/health/live", b"/health/ready"})
"""The paths at which this site answers, beside those of files and backends."""


class MetricsNode(Node):
    """``/metrics``: written anew for each scrape.

    Args:
        written: all metrics in the format that an Accept header asks for, and that format's name.
    """

    def __init__(self, written: Written) -> None:
        super().__init__()
        self._written = written

    def read(self, request: Request) -> bytes:
        """See :meth:`Node.read`."""
        body, content_type = self._written(_accept(request))
        return write(request, Response(200, body, content_type.encode(), (_NO_STORE, _BY_ACCEPT)))


class ReadyNode(Node):
    """``/health/ready``: 200 while the router should be given new clients, 503 with the reasons while it should not.

    Args:
        asked: the router's state in one word or two, and why it is not ready, a sentence each; none if it is.
    """

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked

    def read(self, request: Request) -> bytes:
        """See :meth:`Node.read`."""
        state, reasons = self._asked()
        headers = (_NO_STORE, _BY_ACCEPT)
        status = 503 if reasons else 200
        if "application/json" in _accept(request):
            body = msgspec.json.encode({"state": state, "reasons": reasons}) + b"\n"
            return write(request, Response(status, body, b"application/json", headers))
        return write(
            request, Response(status, "".join(f"{line}\n" for line in (state, *reasons)).encode(), TEXT, headers)
        )


def status_page() -> dict[bytes, Node]:
    """The status page's files by their names, read once, here.

    Raises:
        FileNotFoundError: the installation lacks one of them.
    """
    nodes: dict[bytes, Node] = {
        name.encode(): File(content, content_type) for name, (content, content_type) in read_files().items()
    }
    return {**nodes, b"": nodes[_INDEX]}


def make_admin_site(
    nodes: Mapping[bytes, Node],
    *,
    ready: Asked,
    written: Written | None,
    bodies: Bodies,
    reactor: IReactorTime | None = None,
    deadline: float = DEADLINE_SECONDS,
    answered: Counter[int] | None = None,
) -> Site:
    """The operators' site; every answer has the security headers of all sites.

    Args:
        nodes: what is served beside metrics and health, by the path's first component.
        ready: see :class:`ReadyNode`.
        written: see :class:`MetricsNode`; None where no metrics are served.
        bodies: which requests may have a body.
        reactor: whose clock counts the deadline; None for the global reactor.
        deadline: as for :func:`wampgate.http.site.make_site`.
        answered: likewise.
    """
    health = Node({b"live": Fixed(ALIVE), b"ready": ReadyNode(ready)})
    served: dict[bytes, Any] = {**nodes, b"ws": Fixed(UPGRADE), b"health": health}
    if written is not None:
        served[b"metrics"] = MetricsNode(written)
    return Site(Node(served, NOT_FOUND), bodies, deadline, reactor, answered)


def _accept(request: Request) -> str:
    return ",".join(value.decode("latin-1") for value in request.requestHeaders.getRawHeaders(b"Accept") or [])
