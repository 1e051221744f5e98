"""The command ``wampgate top``: a live look at a running router; rates are differences of its counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.output import output_options
from wampgate.commands.top_screen import SORTS, Look, blocks, document

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output

_ROWS: Final = 12


@click.command("top")
@click.option("--once", is_flag=True, help="Look for one interval, print it, and end.")
@click.option(
    "--every", type=click.FloatRange(0.2), default=2.0, show_default=True, metavar="SECONDS", help="How often."
)
@click.option(
    "--sort",
    type=click.Choice(list(SORTS)),
    default="queue",
    show_default=True,
    help="Which sessions come first.",
)
@click.option(
    "--rows", type=click.IntRange(0, 1000), default=_ROWS, show_default=True, metavar="N", help="So many sessions."
)
@connection_options()
@output_options
def top_command(*, once: bool, every: float, sort: str, rows: int, where: Where, output: Output) -> None:
    """Watch a running router: state, sessions, rates, queues, bridges.

    On a terminal the screen is drawn anew; elsewhere one block is printed for each interval, with --json one
    object a line.

    \b
    wampgate top
    wampgate top --once --json
    """  # noqa: D301 - click takes this character for: keep these lines
    from wampgate.commands.looking import look, look_once  # noqa: PLC0415 - what imports Autobahn comes last
    from wampgate.commands.watching import Watch  # noqa: PLC0415 - likewise

    if once:
        now, before = look_once(where, output, sort, rows, min(every, 1.0))
        output.show(*blocks(now, before, output, where), document=document(now, before))
        return
    last: list[Look] = []

    async def draw(session: CommandSession, redraw: Callable[..., None]) -> None:
        now = await look(session, sort, rows)
        before = last.pop() if last else now
        last.append(now)
        redraw(*blocks(now, before, output, where), document=document(now, before))

    Watch(where, output, every).run(draw)
