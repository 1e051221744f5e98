"""How many connections there may be, in all, from one address, and of those who have not joined; who takes a place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wampgate.transports.proxy import network_of

if TYPE_CHECKING:
    from collections.abc import Callable

_TURNED_AWAY: Final = 64
"""So many connections without a place may wait for a moment to be told so; all others are dropped at once."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections may be open.

    Attributes:
        total: in all.
        per_address: from one address; 0 for no limit.
        unauthenticated: that have not joined a realm yet.
        ipv6_prefix_bits: how much of an IPv6 address counts as one address.
    """

    total: int = 20_000
    per_address: int = 1000
    unauthenticated: int = 2000
    ipv6_prefix_bits: int = 64


class Places:
    """The places for connections: one for each, and one of its address's.

    Args:
        limits: how many there are.
        joined: how many sessions have joined a realm.
        full: told of each connection for which there is none, by its address and the key of the limit.
        apart: stands before what its addresses are counted by, so that the same address elsewhere is another one.
    """

    def __init__(
        self, limits: ConnectionLimits, joined: Callable[[], int], full: Callable[[str, str], None], *, apart: str = ""
    ) -> None:
        self._limits = limits
        self._joined = joined
        self._full = full
        self._apart = apart
        self._open = 0
        self._open_by_network: Counter[str] = Counter()
        self._turned_away = 0

    def adopt(self, limits: ConnectionLimits) -> None:
        """Let in so many from now on; who is here stays."""
        self._limits = limits

    @property
    def open(self) -> int:
        """How many connections have a place."""
        return self._open

    def enter(self, host: str) -> bool:
        """Take a place for a connection, if there is one."""
        limits = self._limits
        if self._open >= limits.total:
            self._full(host, "connections")
            return False
        if self._open - self._joined() >= limits.unauthenticated:
            self._full(host, "unauthenticated_connections")
            return False
        self._open += 1
        return True

    def leave(self, network: str | None = None) -> None:
        """Give a connection's place back, and one of its address's with it where that is given."""
        self._open -= 1
        if network is not None:
            self.uncount(network)

    def count(self, host: str) -> str | None:
        """Take one of the places of an address: what it counts by; None if all are taken."""
        network = self._apart + network_of(host, self._limits.ipv6_prefix_bits)
        limit = self._limits.per_address
        if limit and self._open_by_network[network] >= limit:
            self._full(host, "connections_per_address")
            return None
        self._open_by_network[network] += 1
        return network

    def uncount(self, network: str) -> None:
        """Give one of the places of an address back."""
        self._open_by_network[network] -= 1
        if not self._open_by_network[network]:
            del self._open_by_network[network]

    def turn_away(self) -> bool:
        """Whether one more connection without a place may stay until it is told; its end is told by :meth:`gone`."""
        if self._turned_away >= _TURNED_AWAY:
            return False
        self._turned_away += 1
        return True

    def gone(self) -> None:
        """A connection that was turned away has ended."""
        self._turned_away -= 1
