"""What a running router consists of, for those who look at it; the service keeps it current, a reload included."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from wampgate.core.histogram import Histogram
from wampgate.observation.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from wampgate.core.deadlines import Deadlines
    from wampgate.core.realm import Realm
    from wampgate.core.router import Router


class Counted(Protocol):
    """Something that counts what happens to it.

    Attributes:
        counters: how often what happened, by name; they only grow.
    """

    counters: Counter[str]


class Transport(Counted, Protocol):
    """One way to speak WAMP, over all listeners."""

    @property
    def peers(self) -> Collection[Any]:
        """The connections that are open; each has a ``session``, None where there is none yet."""


class Store(Protocol):
    """Where a realm's tokens are."""

    @property
    def kind(self) -> str:
        """What it is: postgres, sqlite, memory."""

    @property
    def ready(self) -> bool:
        """Whether it can be asked now."""

    @property
    def hears(self) -> bool:
        """Whether it hears of changes at once, now."""

    @property
    def query_seconds(self) -> Mapping[str, Histogram]:
        """How long its database took to answer, by the query's name."""


class Bridge(Counted, Protocol):
    """One bridge or outbox."""

    @property
    def name(self) -> str:
        """What router.json calls it."""

    @property
    def kind(self) -> str:
        """What it is: redis, streams, outbox."""

    @property
    def ready(self) -> bool:
        """Whether it brings events now."""

    @property
    def lag_seconds(self) -> float:
        """How far what it brings is behind; 0 while it is not."""

    @property
    def event_seconds(self) -> Histogram:
        """How long events took on their way; from where on is said in ``docs/metrics.md``."""


class Cache(Protocol):
    """Something that remembers what it would have to ask for.

    Attributes:
        hits: how often that was enough, ever.
        misses: how often it was not, ever.
    """

    @property
    def hits(self) -> int:
        """See the class."""

    @property
    def misses(self) -> int:
        """See the class."""


class HistoryStore(Protocol):
    """Where a realm's histories are kept beside the memory."""

    @property
    def name(self) -> str:
        """What topics call it."""

    @property
    def ready(self) -> bool:
        """Whether it takes what it is told, now."""


@dataclass(frozen=True, slots=True)
class RealmInView:
    """A realm and what serves it.

    Attributes:
        realm: the realm.
        store: where its tokens are; None where it has none.
        bridges: what brings events.
        caches: what its authorization remembers, by name.
        histories: where events are kept beside the memory.
        roles: all that the realm's configuration names; an authenticator of the operator's own may give others.
    """

    realm: Realm
    store: Store | None = None
    bridges: Sequence[Bridge] = ()
    caches: Mapping[str, Cache] = field(default_factory=dict)
    histories: Sequence[HistoryStore] = ()
    roles: Collection[str] = ()


@dataclass(slots=True)
class Parts:
    """A running router, as it is now.

    Attributes:
        router: opens and ends sessions.
        deadlines: the one heap of deadlines; its ``now`` is the monotonic clock.
        port: counts refused connections, and holds the places.
        transports: the ways to speak WAMP, by name.
        realms: the realms.
        backend: what serves backends by HTTP; None where nothing does.
        draining: whether the router is on its way out.
        started: when everything listened, in seconds of the monotonic clock.
        refusals: the last of them; takes what the core records.
        loop_lag: by how many seconds the reactor was late of late, at worst; None where nobody measures it.
        lateness: how late the reactor came to its timers, where somebody measures it.
        answered: how many HTTP answers the public listeners have given, by status.
        audit: what becomes of the audit log's file: ready, written, lost, failures; None where there is no file.
    """

    router: Router
    deadlines: Deadlines
    port: Any
    transports: dict[str, Transport]
    realms: list[RealmInView] = field(default_factory=list)
    backend: Counted | None = None
    draining: bool = False
    started: float = 0.0
    refusals: Refusals = field(default_factory=Refusals)
    loop_lag: Callable[[], float] | None = None
    lateness: Histogram = field(default_factory=Histogram)
    answered: Counter[int] = field(default_factory=Counter)
    audit: Callable[[], Mapping[str, int] | None] | None = None
