"""The access log: one line for each HTTP request, written when its answer begins; nobody hears it unless it is on."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger

from wampgate.core.log_lines import clipped, printable

if TYPE_CHECKING:
    from collections.abc import Callable

_log = Logger(namespace="wampgate.access")


class AccessLog:
    """Tells of requests. The log is the process's own, and so is this.

    Attributes:
        heard: whether anyone hears it, now.
    """

    __slots__ = ("heard",)

    def __init__(self) -> None:
        self.heard: Callable[[], bool] = _unheard

    def answered(self, asked: tuple[bytes, bytes], client: Any, status: int, length: str, begun: float) -> None:
        """Tell of one request.

        Args:
            asked: its method and its path without the query string, where secrets may stand.
            client: who sent it; has a ``host``, or none.
            status: of the answer.
            length: of the answer's body, in bytes; empty where it is not known.
            begun: when its head was complete, by the monotonic clock.
        """
        method, path = (printable(clipped(part.decode("latin-1"))) for part in asked)
        _log.info(
            "{peer} {method} {path} {status} {bytes} {milliseconds} ms",
            event="request",
            peer=getattr(client, "host", None) or "-",
            method=method,
            path=path,
            status=status,
            bytes=int(length) if length.isdigit() else 0,
            milliseconds=round((monotonic() - begun) * 1000, 1),
        )


def _unheard() -> bool:
    return False


ACCESS_LOG: Final = AccessLog()
"""What all sites tell."""
