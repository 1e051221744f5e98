"""Which servers can be measured, by name; a new one gets a file beside this one and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.servers.centrifuge import Centrifuge
from benchmarks.servers.crossbar import Crossbar
from benchmarks.servers.foxwamp import FoxWamp
from benchmarks.servers.limit import Limit
from benchmarks.servers.nexus import Nexus
from benchmarks.servers.socketio import SocketIO, SocketIOAlone
from benchmarks.servers.wampgate import Wampgate
from benchmarks.servers.xconn import Xconn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.servers.interface import Server

PRODUCT: Final = "wampgate"

LIMITS: Final[Mapping[str, Callable[[], Server]]] = {
    "limit-send": lambda: Limit("send"),
    "limit-coal": lambda: Limit("coal"),
}
"""What the others are measured against."""

PEERS: Final[Mapping[str, Callable[[], Server]]] = {
    PRODUCT: Wampgate,
    "nexus": Nexus,
    "xconn": Xconn,
    "crossbar": Crossbar,
    "foxwamp": FoxWamp,
    "centrifuge": Centrifuge,
    "socketio": SocketIO,
    "socketio-alone": SocketIOAlone,
}
"""Routers that do the whole job."""

SERVERS: Final[Mapping[str, Callable[[], Server]]] = {**LIMITS, **PEERS}
