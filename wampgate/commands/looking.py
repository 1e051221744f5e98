"""Looks at a running router once: its figures, and the sessions that are most in some way."""

from __future__ import annotations

import asyncio
from heapq import nlargest
from time import monotonic
from typing import TYPE_CHECKING, Final

from wampgate.commands.sessions import pages
from wampgate.commands.speaking import asked, speak
from wampgate.commands.top_screen import SORTS, Look

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output

_LOOKED_AT: Final = 2000
"""So many sessions are looked at for one screen: who watches a router of fifty thousand must not be its load."""


async def look(session: CommandSession, sort: str, rows: int) -> Look:
    """Ask for everything.

    Args:
        session: who asks.
        sort: one of ``SORTS``.
        rows: so many sessions.

    Raises:
        CommandFailed: it may not be asked for.
    """
    figures = (await asked(session, "wampgate.status.get")).kwargs
    at = monotonic()
    if not rows:
        return Look(at, figures, [])
    sessions = []
    async for row in pages(session, None):
        sessions.append(row)
        if len(sessions) == _LOOKED_AT:
            break
    return Look(at, figures, nlargest(rows, sessions, key=SORTS[sort]), len(sessions))


def look_once(where: Where, output: Output, sort: str, rows: int, seconds: float) -> list[Look]:
    """Look twice, so many seconds apart.

    Raises:
        CommandFailed: it may not be asked for, or there is no router.
    """

    async def work(session: CommandSession) -> list[Look]:
        before = await look(session, sort, 0)
        await asyncio.sleep(seconds)
        return [before, await look(session, sort, rows)]

    return speak(where, output, work)
