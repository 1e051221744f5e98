"""Shows something again and again, over lost connections and back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from autobahn.wamp.exception import TransportLost

from wampgate.commands.speaking import connection_words, speak

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wampgate.client.plan import State
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output


class Watch:
    """Asks and draws, at intervals, until Ctrl-C.

    Args:
        where: which router, and as whom.
        output: takes what is drawn.
        every: the interval, in seconds.
    """

    def __init__(self, where: Where, output: Output, every: float) -> None:
        self._where, self._output, self._every = where, output, every
        self._redraw: Callable[..., None] | None = None

    def run(self, draw: Callable[[CommandSession, Callable[..., None]], Awaitable[None]]) -> None:
        """Have it drawn: ``draw`` asks the session, and hands blocks and a document to the function that it is given.

        Raises:
            CommandFailed: it can't go on; says why.
        """

        async def work(session: CommandSession) -> None:
            with self._output.live() as redraw:
                self._redraw = redraw
                while True:
                    try:
                        await draw(session, redraw)
                    except TransportLost:
                        # The next question waits until there is a connection again.
                        continue
                    await asyncio.sleep(self._every)

        try:
            speak(self._where, self._output, work, on_state=self._told)
        finally:
            self._redraw = None

    def _told(self, state: State) -> None:
        words = connection_words(state)
        if words is None:
            return
        if self._redraw is not None and self._output.terminal and not self._output.json:
            self._redraw(words)
        else:
            self._output.note(words)
