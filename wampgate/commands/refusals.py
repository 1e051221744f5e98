"""The command ``wampgate refusals``: what a running router refused last, and what decided that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.figures import moment
from wampgate.commands.output import Column, Table, output_options

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output

_COLUMNS: Final = (
    Column("time", whole=True),
    Column("who", style=lambda _: "bold"),
    Column("peer", whole=True),
    Column("what", fold=True),
    Column("count", right=True),
    Column("because", fold=True),
)


@click.command("refusals")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, metavar="N", help="So many.")
@connection_options()
@output_options
def refusals_command(*, limit: int, where: Where, output: Output) -> None:
    """List what a running router refused last, newest first, and what decided that."""
    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - what imports Autobahn comes last

    async def work(session: CommandSession) -> Answer:
        return await asked(session, "wampgate.status.refusals", limit=limit)

    rows = speak(where, output, work).kwargs["refusals"]
    table = Table(_COLUMNS, [row | _words(row) for row in rows], empty="nothing was refused")
    output.show(table, document=rows)


def _words(row: dict[str, Any]) -> dict[str, Any]:
    """Who and what, in words."""
    who = row.get("authid")
    role = row.get("authrole")
    match = row.get("match")
    asked_for = [row.get("action"), row.get("uri"), f"({match})" if match not in (None, "exact") else None]
    return {
        "time": moment(row.get("time")),
        "who": f"{who} ({role})" if who and role else who,
        "what": " ".join(str(word) for word in asked_for if word) or row.get("event"),
    }
