"""Which servers can be measured, by name; a new one gets a file beside this one and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.servers.limit import Limit
from benchmarks.servers.wampgate import Wampgate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.servers.interface import Server

PRODUCT: Final = "wampgate"

LIMITS: Final[Mapping[str, Callable[[], Server]]] = {
    "limit-send": lambda: Limit("send"),
    "limit-coal": lambda: Limit("coal"),
}
"""What the others are measured against."""

PEERS: Final[Mapping[str, Callable[[], Server]]] = {PRODUCT: Wampgate}
"""Routers that do the whole job."""

SERVERS: Final[Mapping[str, Callable[[], Server]]] = {**LIMITS, **PEERS}
