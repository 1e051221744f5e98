"""The command ``wampgate audit``: who logged in, was refused, was ended, and what operators did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.output import Column, Table, output_options

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output


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
    output.show(Table(columns_of(rows), rows, empty="the audit log has no such entry"), document=rows)


def rows_of(answer: Answer, name: str) -> list[dict[str, Any]]:
    """The rows of an answer: its keyword argument of that name, or its first argument."""
    found = answer.kwargs.get(name, answer.args[0] if answer.args else [])
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def columns_of(rows: list[dict[str, Any]]) -> list[Column]:
    """A column for each member that a row has, in the order in which they come."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [Column(name, right=all(isinstance(row.get(name), int | float | None) for row in rows)) for name in names]
