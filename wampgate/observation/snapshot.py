"""What a running router looks like now, as plain values: its state, its stores and bridges, one session."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any, Final

from wampgate import __version__
from wampgate.core.log_lines import clipped
from wampgate.observation.health import health_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.observation.parts import Bridge, Parts, Store

_ROUNDED: Final = 3

_CENTURY: Final = 100 * 365.25 * 86400


class Snapshot:
    """Reads the parts of a running router; nothing here takes longer the more sessions there are.

    Args:
        parts: the router's parts, as they are now.
        wall_clock: in seconds since 1970.
    """

    def __init__(self, parts: Callable[[], Parts], wall_clock: Callable[[], float] = time) -> None:
        self._parts = parts
        self._wall_clock = wall_clock

    def of_router(self, viewed_from: Realm) -> dict[str, Any]:
        """What holds for the whole process: version, state, reasons, started, uptime_seconds, connections, loop lag.

        Args:
            viewed_from: the realm of who asks; what another one lacks is told without naming it.
        """
        parts = self._parts()
        now = parts.deadlines.now()
        health = health_of(parts)
        peers = {name: len(transport.peers) for name, transport in parts.transports.items()}
        return {
            "version": __version__,
            "state": health.state,
            "reasons": list(dict.fromkeys(_told(reason, viewed_from) for reason in health.reasons)),
            "started": self.instant(parts.started),
            "uptime_seconds": round(now - parts.started, _ROUNDED),
            "connections": {
                "open": sum(peers.values()),
                "joined": sum(len(view.realm.sessions) for view in parts.realms),
                "by_transport": peers,
            },
            "loop_lag_seconds": None if parts.loop_lag is None else round(parts.loop_lag(), 6),
        }

    def of_realm(self, realm: Realm) -> dict[str, Any]:
        """What holds for one realm: its name, its counters, its store, its bridges."""
        view = next((view for view in self._parts().realms if view.realm is realm), None)
        return {
            "realm": realm.name,
            "counters": _counters(realm),
            "store": None if view is None or view.store is None else _store(view.store),
            "bridges": [] if view is None else [_bridge(bridge) for bridge in view.bridges],
        }

    def of_session(self, session: Session) -> dict[str, Any]:
        """What there is to know of a session."""
        principal, connection = session.principal, session.connection
        return {
            "session": session.id,
            "authid": principal.authid,
            "authrole": principal.authrole,
            "authmethod": principal.authmethod,
            "authprovider": principal.authprovider,
            "transport": self.transport_of(session),
            "secure": connection.secure,
            "peer": connection.peer,
            "agent": clipped(connection.agent),
            "since": self.instant(session.since),
            "expires": self._expiry(session.expires),
            "subscriptions": len(session.subscriptions or ()),
            "registrations": len(session.registrations or ()),
            "queue_bytes": queued_for(session),
        }

    def transport_of(self, session: Session) -> str:
        """By which transport a session speaks; empty for one inside the router."""
        listener = getattr(session.link, "factory", None)
        return next((name for name, other in self._parts().transports.items() if other is listener), "")

    def refusals(self, realm: Realm, limit: int) -> list[dict[str, Any]]:
        """The last refusals in a realm; see :meth:`wampgate.observation.refusals.Refusals.recent`."""
        return self._parts().refusals.recent(realm.name, limit)

    def now(self) -> float:
        """The monotonic clock, in seconds."""
        return self._parts().deadlines.now()

    def instant(self, when: float) -> str:
        """A time of the monotonic clock as ISO 8601, UTC."""
        seconds = self._wall_clock() + when - self.now()
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def _expiry(self, when: float | None) -> str | None:
        # What never expires, or as good as never, has no date.
        return None if when is None or when - self.now() > _CENTURY else self.instant(when)


def queued_for(session: Session) -> int:
    """How many bytes wait for a session's reader."""
    queued: int = getattr(session.link, "queued", 0)
    return queued


def _told(reason: str, viewed_from: Realm) -> str:
    if reason.startswith("realm ") and not reason.startswith(f"realm {viewed_from.name}: "):
        return "another realm lacks its store or a bridge"
    return reason


def _counters(realm: Realm) -> dict[str, int]:
    """Figures that only grow: those that each realm has, and those that docs/limits.md and its neighbours name."""
    counters = realm.counters
    return {
        **counters,
        "publications": realm.broker.publications,
        "events": realm.broker.events,
        "calls": realm.dealer.calls,
        "joins": counters["joined"],
        "refusals": counters["refused"],
        "drops": counters["slow_reader_dropped"],
        "gaps": counters["slow_reader_gaps"],
    }


def _store(store: Store) -> dict[str, Any]:
    return {"kind": store.kind, "ready": store.ready, "hears": store.hears}


def _bridge(bridge: Bridge) -> dict[str, Any]:
    return {
        "name": bridge.name,
        "kind": bridge.kind,
        "ready": bridge.ready,
        "lag_seconds": round(bridge.lag_seconds, _ROUNDED),
        "counters": dict(bridge.counters),
    }
