"""The command ``wampgate sessions``: lists the sessions of a realm, once or live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.figures import age, queue_style, size
from wampgate.commands.output import Column, Table, output_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output

_PAGE: Final = 1000
_COLUMNS: Final = (
    Column("session", right=True),
    Column("authid", style=lambda _: "bold", whole=True),
    Column("authrole", "role"),
    Column("authmethod", "method"),
    Column("transport"),
    Column("peer", whole=True),
    Column("age", right=True),
    Column("subscriptions", "subs", right=True),
    Column("queue", right=True, style=queue_style),
)


@click.command("sessions")
@click.option("--role", "authrole", metavar="ROLE", help="Only those of this role.")
@click.option("--authid", metavar="AUTHID", help="Only those of this authid.")
@click.option("--method", "authmethod", metavar="METHOD", help="Only those that joined by this authmethod.")
@click.option("--search", metavar="TEXT", help="Only those with this text in authid, role, method, address or id.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="So many at most.")
@click.option("--watch", is_flag=True, help="Show them again and again, until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(0.2), default=2.0, show_default=True, metavar="SECONDS", help="With --watch."
)
@connection_options()
@output_options
def sessions_command(
    *, limit: int | None, watch: bool, every: float, where: Where, output: Output, **wanted: str | None
) -> None:
    """List the sessions of a realm.

    \b
    wampgate sessions
    wampgate sessions --authid alice --json
    wampgate sessions --role member --watch
    """  # noqa: D301 - click takes this character for: keep these lines
    from wampgate.commands.speaking import speak  # noqa: PLC0415 - what imports Autobahn comes last
    from wampgate.commands.watching import Watch  # noqa: PLC0415 - likewise

    async def once(session: CommandSession) -> None:
        table, rows = await _listed(session, wanted, limit)
        output.show(table, _counted(rows), document=rows)

    async def draw(session: CommandSession, redraw: Callable[..., None]) -> None:
        table, rows = await _listed(session, wanted, limit)
        redraw(_counted(rows), table, document=rows)

    if watch:
        Watch(where, output, every).run(draw)
    else:
        speak(where, output, once)


def _counted(rows: list[dict[str, Any]]) -> str:
    return f"{len(rows):,} session{'' if len(rows) == 1 else 's'}"


async def _listed(
    session: CommandSession, wanted: dict[str, str | None], limit: int | None
) -> tuple[Table, list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    async for row in pages(session, wanted.get("search") or wanted.get("authid")):
        if fits(row, wanted):
            rows.append(row)
            if len(rows) == limit:
                break
    shown = [row | {"age": age(row.get("since")), "queue": size(row.get("queue_bytes"))} for row in rows]
    return Table(_COLUMNS, shown, empty="no session is here that this one may see"), rows


async def pages(session: CommandSession, search: str | None) -> AsyncIterator[dict[str, Any]]:
    """All sessions that the caller sees, page by page.

    Args:
        session: who asks.
        search: a text that each of them has somewhere; None for all.
    """
    from wampgate.commands.speaking import asked  # noqa: PLC0415 - what imports Autobahn comes last

    after: int | None = None
    while True:
        searched = {} if search is None else {"search": search}
        answer = (await asked(session, "wampgate.status.sessions", after=after, limit=_PAGE, **searched)).kwargs
        for row in answer["sessions"]:
            yield row
        after = answer["next"]
        if after is None:
            return


def fits(row: dict[str, Any], wanted: dict[str, str | None]) -> bool:
    """Whether a session is one of those that are wanted."""
    return all(value is None or row.get(key) == value for key, value in wanted.items() if key != "search")
