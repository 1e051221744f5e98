"""Whether a router should be given clients now, and if not, why: what load balancers and orchestrators ask for.

It should not while it starts, while it is on its way out, and, unless the operator says
otherwise, while a token store or a bridge is away: without its store it refuses every new
client, and without a bridge its clients would get no news and believe that there is none.
A node that keeps its clients while its store is away takes nothing from them, so that only
new ones are sent elsewhere. Where all nodes share one store, nobody is better off
elsewhere: see ``docs/metrics.md``, and ``admin.ready_without``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from wampgate.observation.parts import Parts

State: TypeAlias = Literal["starting", "ready", "not ready", "draining"]


class Health(NamedTuple):
    """What there is to be said of a router's health.

    Attributes:
        state: in one word or two.
        reasons: why it should be given no new clients; a sentence each, without secrets.
    """

    state: State
    reasons: list[str]

    @property
    def ready(self) -> bool:
        """Whether it should be given new clients."""
        return self.state == "ready"

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.state}: {'; '.join(self.reasons)}" if self.reasons else self.state


def health_of(parts: Parts, without: Collection[str] = ()) -> Health:
    """How a router is.

    Args:
        parts: the router's, as they are now.
        without: any of ``stores`` and ``bridges``: what may be away.
    """
    if parts.draining:
        return Health("draining", ["it is shutting down and takes no new clients"])
    if not parts.started:
        return Health("starting", ["it is starting and does not listen yet"])
    reasons = list(_faults(parts, without))
    return Health("not ready", reasons) if reasons else Health("ready", [])


def _faults(parts: Parts, without: Collection[str]) -> Iterator[str]:
    for view in parts.realms:
        if "stores" not in without and view.store is not None and not view.store.ready:
            yield f"realm {view.realm.name}: its token store ({view.store.kind}) does not answer"
        if "bridges" not in without:
            for bridge in view.bridges:
                if not bridge.ready:
                    yield f"realm {view.realm.name}: bridge {bridge.name} ({bridge.kind}) is not ready"
