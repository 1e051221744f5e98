"""The command ``wampgate usage``: what each organization used of a running router."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wampgate.commands.audit import columns_of, rows_of
from wampgate.commands.connecting import connection_options
from wampgate.commands.output import Table, output_options

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output


@click.command("usage")
@click.argument("organization", required=False)
@connection_options()
@output_options
def usage_command(*, organization: str | None, where: Where, output: Output) -> None:
    """Show what organizations used of a running router: connections, deliveries."""
    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - what imports Autobahn comes last

    async def work(session: CommandSession) -> Answer:
        return await asked(session, "wampgate.usage.organizations", organization=organization)

    answer = speak(where, output, work)
    rows = rows_of(answer, "organizations")
    since = answer.kwargs.get("since")
    table = Table(columns_of(rows), rows, title=f"since {since}" if since else None, empty="no organization used any")
    output.show(table, document=answer.kwargs)
