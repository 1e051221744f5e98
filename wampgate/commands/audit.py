"""The command ``wampgate audit``: who logged in, was refused, was ended, and what operators did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.figures import moment
from wampgate.commands.output import Column, Table, cell, output_options

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output

_TOLD: Final = ("time", "event", "authid", "authrole", "peer", "realm", "session", "authmethod")
"""What has a column of its own, or is for programs."""
_COLUMNS: Final = (
    Column("time", whole=True),
    Column("event"),
    Column("who", style=lambda _: "bold"),
    Column("peer", whole=True),
    Column("more", "", fold=True),
)


@click.command("audit")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, metavar="N", help="So many.")
@click.option("--event", metavar="NAME", help="Only events of this name.")
@click.option("--authid", metavar="AUTHID", help="Only those of this authid.")
@connection_options()
@output_options
def audit_command(*, limit: int, event: str | None, authid: str | None, where: Where, output: Output) -> None:
    """List the last entries of a running router's audit log."""
    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - what imports Autobahn comes last

    async def work(session: CommandSession) -> Answer:
        return await asked(session, "wampgate.audit.recent", limit=limit, event=event, authid=authid)

    rows = rows_of(speak(where, output, work), "entries")
    table = Table(_COLUMNS, [in_words(row) for row in rows], empty="the audit log has no such entry")
    output.show(table, document=rows)


def in_words(row: dict[str, Any]) -> dict[str, Any]:
    """An entry as people read it: when, what, who, from where, and all else by its name."""
    who, role = row.get("authid"), row.get("authrole")
    more = [f"{name}: {cell(value)}" for name, value in row.items() if name not in _TOLD and value is not None]
    return {
        "time": moment(row.get("time")),
        "event": row.get("event"),
        "who": f"{who} ({role})" if who and role else who,
        "peer": row.get("peer"),
        "more": ", ".join(more),
    }


def rows_of(answer: Answer, name: str) -> list[dict[str, Any]]:
    """The rows of an answer: its keyword argument of that name, or its first argument."""
    found = answer.kwargs.get(name, answer.args[0] if answer.args else [])
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
