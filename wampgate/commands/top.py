"""The command ``wampgate top``: a live look at a running router; rates are differences of its counters."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.output import output_options
from wampgate.commands.top_screen import LINES, LINES_OF_A_TABLE, SORTS, Look, blocks, document

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output

_FIRST_SECONDS: Final = 0.5
_ROWS: Final = 12
_FEWEST_ROWS: Final = 3
_LOOKS: Final = 12
"""So many looks make the plots."""


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
    "--rows",
    type=click.IntRange(0, 1000),
    metavar="N",
    help=f"So many sessions. [default: as many as the terminal shows, else {_ROWS}]",
)
@connection_options()
@output_options
def top_command(*, once: bool, every: float, sort: str, rows: int | None, where: Where, output: Output) -> None:
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
        looks = look_once(where, output, sort, _ROWS if rows is None else rows, min(every, 1.0))
        output.show(*blocks(looks, output, where), document=document(looks))
        return
    last: deque[Look] = deque(maxlen=_LOOKS)

    async def draw(session: CommandSession, redraw: Callable[..., None]) -> None:
        if not last:
            # Rates need two looks, and the first screen shall not be long in coming.
            last.append(await look(session, sort, 0))
            await asyncio.sleep(min(every, _FIRST_SECONDS))
        last.append(await look(session, sort, _fitting(output, last[-1]) if rows is None else rows))
        redraw(*blocks(last, output, where), document=document(last))

    Watch(where, output, every).run(draw)


def _fitting(output: Output, before: Look) -> int:
    """How many sessions the terminal has room for, below all else."""
    if output.height is None:
        return _ROWS
    bridges = len(before.figures.get("bridges") or ())
    return max(_FEWEST_ROWS, output.height - LINES - (bridges and bridges + LINES_OF_A_TABLE))
