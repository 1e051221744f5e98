"""The command ``wampgate usage``: what each organization used of a running router."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from wampgate.commands.audit import rows_of
from wampgate.commands.connecting import connection_options
from wampgate.commands.figures import moment, span
from wampgate.commands.output import Column, Table, output_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output

_COLUMNS: Final = (
    Column("organization", style=lambda _: "bold"),
    Column("connections", right=True),
    Column("connected", right=True),
    Column("logins", right=True),
    Column("deliveries", right=True),
)


@click.command("usage")
@click.argument("organization", required=False)
@connection_options()
@output_options
def usage_command(*, organization: str | None, where: Where, output: Output) -> None:
    """Show what organizations used of a running router: connections, deliveries."""
    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - what imports Autobahn comes last

    async def work(session: CommandSession) -> tuple[Any, list[dict[str, Any]]]:
        return await all_pages(partial(asked, session, "wampgate.usage.organizations", organization=organization))

    since, rows = speak(where, output, work)
    title = None if since is None else f"since {moment(since)}"
    shown = [row | {"connected": span(row.get("connection_seconds"))} for row in rows]
    table = Table(_COLUMNS, shown, title=title, empty="no organization used anything")
    output.show(table, document={"since": since, "organizations": rows})


async def all_pages(ask: Callable[..., Awaitable[Answer]]) -> tuple[Any, list[dict[str, Any]]]:
    """Since when the router counts, and every organization's row.

    Args:
        ask: asks for a page, the one after an organization if that is named.
    """
    rows: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        answer = await ask(**after)
        rows += rows_of(answer, "organizations")
        if (last := answer.kwargs.get("next")) is None:
            return answer.kwargs.get("since"), rows
        after = {"after": last}
