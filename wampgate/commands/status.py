"""The command ``wampgate status``: whether a running router is ready, and why not; for people and for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.errors import FAILED, OK
from wampgate.commands.figures import milliseconds, size, span
from wampgate.commands.output import Record, output_options

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output


@click.command("status")
@connection_options()
@output_options
def status_command(*, where: Where, output: Output) -> int:
    """Say whether a running router is ready, and why not.

    The status is 0 if it is ready and 1 if not.
    """
    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - what imports Autobahn comes last

    async def work(session: CommandSession) -> Answer:
        return await asked(session, "wampgate.status.get")

    figures = speak(where, output, work).kwargs
    if output.json or not output.quiet:
        output.show(Record(summary(figures)), document=figures)
    return OK if figures.get("state") == "ready" else FAILED


def summary(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures in the order in which people ask for them."""
    sessions, queues = figures.get("sessions") or {}, figures.get("queues") or {}
    store, bridges = figures.get("store"), figures.get("bridges") or []
    return {
        "version": figures.get("version"),
        "state": "; ".join([str(figures.get("state")), *map(str, figures.get("reasons") or ())]),
        "up": span(figures.get("uptime_seconds")),
        "realm": figures.get("realm"),
        "sessions": sessions.get("total"),
        "connections": (figures.get("connections") or {}).get("open"),
        "queues": f"{size(queues.get('bytes'))}, {queues.get('slow_readers', 0)} slow readers",
        "store": None if store is None else _state(str(store.get("kind")), store),
        "bridges": [_state(str(bridge.get("name")), bridge) for bridge in bridges] or None,
        "loop_lag": milliseconds(figures.get("loop_lag_seconds")),
    }


def _state(name: str, part: dict[str, Any]) -> str:
    deaf = "" if part.get("hears", True) else ", does not hear of changes"
    return f"{name} {'ready' if part.get('ready') else 'away'}{deaf}"
