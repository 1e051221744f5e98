"""Reads what a running router has counted, as samples of metrics: nothing here is asked before someone scrapes.

What is counted, its owners count anyway, as plain numbers; reading them all costs a scrape a
microsecond per session at most, and a message nothing. No label has a value that a client
chose: roles are those of the configuration, reasons and outcomes the router's own words.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wampgate import __version__
from wampgate.core.errors import uri
from wampgate.observation import metric_families as families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wampgate.core.decisions import Action
    from wampgate.core.histogram import Histogram
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.observation.health import Health
    from wampgate.observation.metric_families import Family
    from wampgate.observation.parts import Bridge, Parts, RealmInView, Transport

OTHERS: Final = "other"
"""The value of a label in place of all that the configuration and the router do not name."""

_LIMIT: Final = "limit_"

_ACTIONS: Final[tuple[Action, ...]] = ("publish", "subscribe", "call", "register")
_OUTCOMES: Final = ("allowed", "denied", "undecided")

_DROPPED: Final = {
    "slow_reader": "slow_reader_dropped",
    "replaced": "slow_reader_replaced",
    "too_long": "too_long_for_receiver",
    "meta": "meta_events_lost",
}

_SHOWN_ELSEWHERE: Final = frozenset(
    {
        "joined",
        "refused",
        "revoked",
        "slow_reader_gaps",
        *_DROPPED.values(),
        *(f"{outcome}_{action}" for outcome in _OUTCOMES for action in _ACTIONS),
    }
)
"""The realm's counters that have a metric of their own."""

_RELOADS: Final = {"done": "reloaded", "refused": "reload_failed"}

_ERRORS: Final = frozenset(value for name, value in vars(uri).items() if name.isupper())

_USUAL: Final = (uri.AUTHENTICATION_DENIED, uri.AUTHENTICATION_FAILED, uri.NOT_AUTHORIZED, uri.LIMIT_EXCEEDED)
"""Why joins are refused where nothing is wrong with the client's program."""


class Sample(NamedTuple):
    """One series of a metric, now.

    Attributes:
        family: which metric.
        labels: the values of the family's labels, in their order.
        value: a number; of histograms, the histogram.
    """

    family: Family
    labels: tuple[str, ...]
    value: float | Histogram


class RefusedJoins:
    """Counts refused joins by their reason; takes what the core records."""

    def __init__(self) -> None:
        # What does not begin at 0 has no rate when it first comes.
        self.counters: Counter[str] = Counter(dict.fromkeys(map(_last_word, _USUAL), 0))

    def __call__(self, event: str, session: Session, **fields: object) -> None:  # noqa: ARG002 - the interface's
        """See :class:`wampgate.core.interfaces.Record`."""
        if event == "join_refused":
            # An authenticator of the operator's own may give any error it likes.
            error = fields.get("error")
            self.counters[_last_word(str(error)) if error in _ERRORS else OTHERS] += 1


def _last_word(error: str) -> str:
    return error.rpartition(".")[2]


class ListenerInView(NamedTuple):
    """What one kind of listener has counted.

    Attributes:
        port: refuses connections and has their places.
        answered: its HTTP answers, by status.
    """

    port: Any
    answered: Counter[int]


class Metrics:
    """All samples of a running router.

    Args:
        parts: the router's parts, as they are now.
        health: how it is.
        refused_joins: counts them.
        admin: the operators' listener, as it is now.
    """

    def __init__(
        self,
        parts: Callable[[], Parts],
        *,
        health: Callable[[], Health],
        refused_joins: RefusedJoins,
        admin: Callable[[], ListenerInView],
    ) -> None:
        self._parts = parts
        self._health = health
        self._refused_joins = refused_joins
        self._admin = admin

    def samples(self) -> Iterator[Sample]:
        """Every series, in no order; to be taken within one turn of the reactor."""
        parts = self._parts()
        yield Sample(families.BUILD, (__version__,), 1)
        yield Sample(families.READY, (), self._health().ready)
        yield Sample(families.DRAINING, (), parts.draining)
        if parts.loop_lag is not None:
            yield Sample(families.LAG, (), parts.loop_lag())
        yield Sample(families.LATENESS, (), parts.lateness)
        for outcome, counter in _RELOADS.items():
            yield Sample(families.RELOADS, (outcome,), parts.router.counters[counter])
        yield from _of_audit(parts)
        for reason, number in self._refused_joins.counters.items():
            yield Sample(families.REFUSED_JOINS, (reason,), number)
        yield from _of_listener("public", ListenerInView(parts.port, parts.answered))
        yield from _of_listener("admin", self._admin())
        yield from _of_limits(parts)
        for name, number in parts.router.received.items():
            yield Sample(families.MESSAGES, ("", name), number)
        for transport, listener in parts.transports.items():
            yield from _of_transport(transport, listener)
        for view in parts.realms:
            yield from _of_realm(view)


def _of_audit(parts: Parts) -> Iterator[Sample]:
    """What becomes of the audit log's file, where there is one."""
    file = None if parts.audit is None else parts.audit()
    if file is None:
        return
    yield Sample(families.AUDIT_UP, (), file["ready"])
    for outcome in ("written", "lost"):
        yield Sample(families.AUDIT_ENTRIES, (outcome,), file[outcome])


def _of_listener(name: str, listener: ListenerInView) -> Iterator[Sample]:
    yield Sample(families.CONNECTIONS, (name,), listener.port.places.open)
    for reason, number in listener.port.counters.items():
        yield Sample(families.REFUSED_CONNECTIONS, (name, reason), number)
    for status, number in listener.answered.items():
        yield Sample(families.HTTP, (name, str(status)), number)


def _of_limits(parts: Parts) -> Iterator[Sample]:
    """The limits that were reached where there is no realm yet, or none yet known."""
    total: Counter[str] = Counter()
    for counted in (parts.router, *parts.transports.values(), *(() if parts.backend is None else (parts.backend,))):
        total.update({name: number for name, number in counted.counters.items() if name.startswith(_LIMIT)})
    for name, number in total.items():
        yield Sample(families.LIMITS, ("", name.removeprefix(_LIMIT)), number)


def _of_transport(name: str, transport: Transport) -> Iterator[Sample]:
    waiting = [queued for peer in transport.peers if (queued := _queued_for(peer))]
    yield Sample(families.TRANSPORTS, (name,), len(transport.peers))
    yield Sample(families.CUT_OFF, (name,), getattr(transport, "cut_off", 0))
    yield Sample(families.SLOW, (name,), len(waiting))
    yield Sample(families.QUEUED, (name,), sum(waiting))
    for reason, number in transport.counters.items():
        if not reason.startswith(_LIMIT):
            yield Sample(families.REFUSED_CONNECTIONS, ("public", reason), number)


def _queued_for(peer: Any) -> int:
    """How many bytes wait for a connection's reader."""
    # A WebSocket's peer is its own outbox; a RawSocket's has one, once its handshake is over.
    queued: int = getattr(getattr(peer, "outbox", peer), "queued", 0)
    return queued


def _of_realm(view: RealmInView) -> Iterator[Sample]:
    realm, name = view.realm, view.realm.name
    yield from _of_sessions(view)
    yield Sample(families.JOINED, (name,), realm.counters["joined"])
    yield Sample(families.REVOKED, (name,), realm.counters["revoked"])
    yield Sample(families.REVOCATION, (name,), realm.revocation_seconds)
    for kind, number in realm.received.items():
        yield Sample(families.MESSAGES, (name, kind), number)
    yield Sample(families.PUBLICATIONS, (name,), realm.broker.publications)
    yield Sample(families.EVENTS, (name,), realm.broker.events)
    yield Sample(families.CALLS, (name,), realm.dealer.calls)
    yield Sample(families.SUBSCRIPTIONS, (name,), len(realm.broker))
    yield Sample(families.REGISTRATIONS, (name,), len(realm.dealer.registrations))
    yield Sample(families.GAPS, (name,), realm.counters["slow_reader_gaps"])
    for reason, counter in _DROPPED.items():
        yield Sample(families.DROPPED, (name, reason), realm.counters[counter])
    yield from _of_decisions(realm)
    for kind, cache in view.caches.items():
        yield Sample(families.CACHES, (name, kind, "hit"), cache.hits)
        yield Sample(families.CACHES, (name, kind, "miss"), cache.misses)
    yield from _of_store(view)
    for bridge in view.bridges:
        yield from _of_bridge(name, bridge)
    yield from _of_kept(view)
    for what, number in realm.counters.items():
        if what.startswith(_LIMIT):
            yield Sample(families.LIMITS, (name, what.removeprefix(_LIMIT)), number)
        elif what not in _SHOWN_ELSEWHERE:
            yield Sample(families.OTHER, (name, what), number)


def _of_sessions(view: RealmInView) -> Iterator[Sample]:
    """How many sessions there are of each role and method that the configuration names."""
    principals = [session.principal for session in view.realm.sessions.values()]
    counted = Counter([(principal.authrole, principal.authmethod) for principal in principals])
    total: Counter[tuple[str, str]] = Counter()
    for (role, method), number in counted.items():
        known = role if role in view.roles else OTHERS
        total[known, method if method in view.realm.authenticators else OTHERS] += number
    for labels, number in total.items():
        yield Sample(families.SESSIONS, (view.realm.name, *labels), number)


def _of_decisions(realm: Realm) -> Iterator[Sample]:
    for action in _ACTIONS:
        yield Sample(families.DECISIONS, (realm.name, action, "allowed"), realm.allowed(action))
        for outcome in ("denied", "undecided"):
            number = realm.counters[f"{outcome}_{action}"]
            yield Sample(families.DECISIONS, (realm.name, action, outcome), number)


def _of_store(view: RealmInView) -> Iterator[Sample]:
    store, name = view.store, view.realm.name
    if store is None:
        return
    yield Sample(families.STORE_UP, (name, store.kind), store.ready)
    yield Sample(families.STORE_HEARS, (name, store.kind), store.hears)
    for query, seconds in store.query_seconds.items():
        yield Sample(families.QUERIES, (name, query), seconds)


def _of_bridge(realm: str, bridge: Bridge) -> Iterator[Sample]:
    yield Sample(families.BRIDGE_UP, (realm, bridge.name, bridge.kind), bridge.ready)
    yield Sample(families.BRIDGE_LAG, (realm, bridge.name), bridge.lag_seconds)
    yield Sample(families.BRIDGE_EVENTS, (realm, bridge.name), bridge.event_seconds)
    counters: Mapping[str, Mapping[str, int]] = {"in": bridge.counters, "out": getattr(bridge, "out_counters", {})}
    for direction, numbers in counters.items():
        for outcome, number in numbers.items():
            yield Sample(families.BRIDGE_MESSAGES, (realm, bridge.name, direction, outcome), number)


def _of_kept(view: RealmInView) -> Iterator[Sample]:
    realm, name = view.realm, view.realm.name
    if realm.history is not None:
        yield Sample(families.HISTORY_EVENTS, (name,), realm.history.events)
        yield Sample(families.HISTORY_BYTES, (name,), realm.history.bytes)
        yield Sample(families.HISTORY_TOPICS, (name,), len(realm.history))
    for store in view.histories:
        yield Sample(families.HISTORY_UP, (name, store.name), store.ready)
    if realm.broker.retained is not None:
        yield Sample(families.RETAINED_EVENTS, (name,), len(realm.broker.retained))
        yield Sample(families.RETAINED_BYTES, (name,), realm.broker.retained.bytes)
