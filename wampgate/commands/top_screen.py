"""What `wampgate top` shows: two looks at a router become rates, and those become blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from wampgate.commands.figures import age, milliseconds, plot, queue_style, rate, size, span, state_style
from wampgate.commands.output import Column, Table
from wampgate.config.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Block, Output

SORTS: Final[dict[str, Callable[[Mapping[str, Any]], Any]]] = {
    "queue": lambda row: (row.get("queue_bytes") or 0, row.get("subscriptions") or 0),
    "subscriptions": lambda row: row.get("subscriptions") or 0,
    "newest": lambda row: str(row.get("since") or ""),
}
"""By what sessions are sorted, the greatest first."""

RATES: Final = ("publications", "events", "calls", "joins", "refusals", "drops", "gaps")
"""The counters that are always shown, by their rates."""

LINES: Final = 14
"""So many lines a screen has beside its bridges and its sessions' rows, at most."""
LINES_OF_A_TABLE: Final = 3
"""So many lines a table has beside its rows, with the empty one before it."""

_BAD: Final = ("refusals", "drops", "gaps")
_SESSIONS: Final = (
    Column("session", right=True),
    Column("authid", style=lambda _: "bold", whole=True),
    Column("authrole", "role"),
    Column("transport"),
    Column("peer", whole=True),
    Column("age", right=True),
    Column("subscriptions", "subs", right=True),
    Column("queue", right=True, style=queue_style),
)


def _rate_style(style: str, shown: object) -> str:
    """How a rate, or the plot of one, is shown: what never happens is dim."""
    return style if str(shown).strip("0▁") else "dim"


_PLOTTED: Final = 7
"""So many looks are plotted: the width that leaves room for all columns on a terminal of eighty."""
_RATES: Final = (
    Column("", "a second", whole=True),
    *(Column(name, right=True, style=partial(_rate_style, "yellow" if name in _BAD else "bold")) for name in RATES),
)
_BRIDGES: Final = (
    Column("name", "bridge"),
    Column("kind"),
    Column("state", style=state_style),
    Column("lag", right=True),
    Column("events", "events/s", right=True),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What a router said of itself.

    Attributes:
        at: when, by this machine's monotonic clock.
        figures: the keyword arguments of `wampgate.status.get`.
        sessions: rows of `wampgate.status.sessions`, the greatest first.
        looked_at: among so many sessions.
    """

    at: float
    figures: Mapping[str, Any]
    sessions: Sequence[Mapping[str, Any]]
    looked_at: int = 0


def rates(now: Look, before: Look) -> dict[str, float]:
    """How fast each counter grows, a second; a router that was started anew begins at nothing."""
    seconds = max(now.at - before.at, 1e-6)
    old = _counters(before.figures) if now.figures.get("started") == before.figures.get("started") else {}
    return {name: max(0, value - old.get(name, 0)) / seconds for name, value in _counters(now.figures).items()}


def document(looks: Sequence[Look]) -> dict[str, Any]:
    """All of the last of several looks, for programs."""
    now = looks[-1]
    found = {name: round(value, 3) for name, value in rates(now, looks[-2]).items()}
    return {**now.figures, "rates": found, "top_sessions": list(now.sessions)}


def blocks(looks: Sequence[Look], output: Output, where: Where) -> list[Block]:
    """All of it, for people: the last of several looks, and how the rates have been since the first."""
    now, before = looks[-1], looks[-2]
    figures = now.figures
    shown: list[Block] = [*_head(figures, output, where), "", _rates(looks)]
    if bridges := figures.get("bridges"):
        shown += ["", Table(_BRIDGES, [_bridge(bridge, now, before) for bridge in bridges])]
    if now.sessions:
        shown += ["", Table(_SESSIONS, [_session(row) for row in now.sessions])]
        total = _section(figures, "sessions").get("total")
        if isinstance(total, int) and now.looked_at < total:
            shown.append(
                output.styled(f"among the first {now.looked_at:,} sessions; `wampgate sessions` lists all", "dim")
            )
    return shown


def _head(figures: Mapping[str, Any], output: Output, where: Where) -> list[str]:
    state = str(figures.get("state"))
    reasons = "; ".join(map(str, figures.get("reasons") or ()))
    first = (
        f"{output.styled('wampgate', 'bold')} {printable(str(figures.get('version')))}"
        f"  {output.styled(printable(state), state_style(state))}{printable(f': {reasons}') if reasons else ''}"
        f"  up {span(figures.get('uptime_seconds'))}"
        f"  {where.shown}  realm {printable(str(figures.get('realm')))}"
    )
    sessions, connections = _section(figures, "sessions"), _section(figures, "connections")
    by_role, by_method = _parts(sessions.get("by_role")), _parts(sessions.get("by_method"))
    return [
        first,
        f"sessions {_number(sessions.get('total'))}{by_role}{by_method}",
        f"connections {_number(connections.get('open'))}{_parts(connections.get('by_transport'))}",
        _queues(figures, output),
    ]


def _queues(figures: Mapping[str, Any], output: Output) -> str:
    queues, store = _section(figures, "queues"), figures.get("store")
    queued = size(queues.get("bytes"))
    slow = queues.get("slow_readers") or 0
    line = f"queues {output.styled(queued, queue_style(queued))}  slow readers "
    line += output.styled(_number(slow), "yellow" if slow else "dim")
    if isinstance(store, dict):
        state = "ready" if store.get("ready") else "away"
        deaf = "" if store.get("hears", True) else ", does not hear of changes"
        line += f"  store {printable(str(store.get('kind')))} {output.styled(state, state_style(state))}{deaf}"
    return f"{line}  loop lag {milliseconds(figures.get('loop_lag_seconds'))}"


def _rates(looks: Sequence[Look]) -> Table:
    """What happens a second, and below it how that has changed from look to look."""
    past = [rates(now, before) for before, now in pairwise(looks)]
    rows: list[dict[str, Any]] = [{"": "now", **{name: rate(past[-1].get(name, 0.0)) for name in RATES}}]
    if len(past) > 1:
        plotted = past[-_PLOTTED:]
        rows.append({"": "lately", **{name: plot([found.get(name, 0.0) for found in plotted]) for name in RATES}})
    return Table(_RATES, rows)


def _bridge(bridge: Mapping[str, Any], now: Look, before: Look) -> dict[str, Any]:
    others: Sequence[Mapping[str, Any]] = before.figures.get("bridges") or ()
    older = next((one for one in others if one.get("name") == bridge.get("name")), bridge)
    seconds = max(now.at - before.at, 1e-6)
    grown = _events(bridge) - _events(older)
    return {
        "name": bridge.get("name"),
        "kind": bridge.get("kind"),
        "state": "ready" if bridge.get("ready") else "away",
        "lag": span(bridge.get("lag_seconds")),
        "events": rate(max(0, grown) / seconds),
    }


def _session(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "age": age(row.get("since")), "queue": size(row.get("queue_bytes"))}


def _events(bridge: Mapping[str, Any]) -> int:
    """How many events a bridge has brought."""
    found = _section(bridge, "counters").get("published")
    return found if isinstance(found, int) else 0


def _counters(figures: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for name, value in _section(figures, "counters").items() if isinstance(value, int)}


def _section(figures: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = figures.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


def _parts(counts: object) -> str:
    """Counts by name, the greatest first: `` (member 40, backend 1)``; a few of many."""
    some = {name: count for name, count in counts.items() if count} if isinstance(counts, dict) else {}
    if not some:
        return ""
    ordered = sorted(some.items(), key=lambda part: (-part[1], part[0]))
    shown = ", ".join(f"{printable(str(name))} {_number(count)}" for name, count in ordered[:5])
    return f" ({shown}{', …' if len(ordered) > 5 else ''})"
