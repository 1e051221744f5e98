"""What a running router consists of, for those who look at it; the service keeps it current, a reload included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Sequence

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
    def ready(self) -> bool:
        """Whether it can be asked now."""

    @property
    def hears(self) -> bool:
        """Whether it hears of changes at once, now."""


class Bridge(Counted, Protocol):
    """One bridge or outbox."""

    @property
    def name(self) -> str:
        """What router.json calls it."""

    @property
    def ready(self) -> bool:
        """Whether it brings events now."""


@dataclass(frozen=True, slots=True)
class RealmInView:
    """A realm and what serves it.

    Attributes:
        realm: the realm.
        store: where its tokens are; None where it has none.
        bridges: what brings events.
    """

    realm: Realm
    store: Store | None = None
    bridges: Sequence[Bridge] = ()


@dataclass(slots=True)
class Parts:
    """A running router, as it is now.

    Attributes:
        router: opens and ends sessions.
        deadlines: the one heap of deadlines; its ``now`` is the monotonic clock.
        port: counts refused connections, and holds the places.
        transports: the ways to speak WAMP, by name.
        faults: why the router should be given no new clients now: a sentence each, without secrets.
        realms: the realms.
        backend: what serves backends by HTTP; None where nothing does.
        draining: whether the router is on its way out.
        started: when everything listened, in seconds of the monotonic clock.
    """

    router: Router
    deadlines: Deadlines
    port: Any
    transports: dict[str, Transport]
    faults: Callable[[], list[str]]
    realms: list[RealmInView] = field(default_factory=list)
    backend: Counted | None = None
    draining: bool = False
    started: float = 0.0
