"""Shows events as they come, over lost connections and back, and tells of what may be missing."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

from autobahn.wamp.exception import ApplicationError

from wampgate.client.place import Position
from wampgate.commands.errors import OK, CommandFailed, Refused
from wampgate.commands.event_lines import Shown, kept, live
from wampgate.commands.speaking import connection_words, request_failed, speak, told
from wampgate.core.errors import uri

if TYPE_CHECKING:
    from wampgate.client.losses import Gap, Lost
    from wampgate.client.plan import State
    from wampgate.client.subscription import Match
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output

_RECOVER: Final = "wampgate.history.recover"
_PAGE: Final = 1000
_REFUSED_FOR_GOOD: Final = "the router took every subscription back"


class Tail:
    """What `wampgate tail` does.

    Args:
        where: which router, and as whom.
        output: takes the events.
        topics: topics or patterns.
        match: how they are matched.
        history: so many kept events of each come first; None for none.
        since: what followed this publication comes first; None for nothing.
        retained: whether each topic's retained event comes first.
    """

    def __init__(
        self,
        where: Where,
        output: Output,
        topics: tuple[str, ...],
        match: Match,
        *,
        history: int | None = None,
        since: int | None = None,
        retained: bool = False,
    ) -> None:
        self._where, self._output = where, output
        self._topics, self._match = list(dict.fromkeys(topics)), match
        self._history, self._since, self._retained = history, since, retained
        self._left = len(self._topics)
        self._events: asyncio.Queue[Shown | CommandFailed] = asyncio.Queue()

    def run(self, *, count: int | None = None, seconds: float | None = None) -> int:
        """Show events until there were so many, or so long; the exit status.

        Raises:
            CommandFailed: it can't go on; says why.
        """

        async def work(session: CommandSession) -> None:
            try:
                async with asyncio.timeout(seconds):
                    await self._follow(session, count)
            except TimeoutError:
                return

        speak(self._where, self._output, work, on_state=self._told_state, get_retained=self._retained)
        return OK

    async def _follow(self, session: CommandSession, count: int | None) -> None:
        for topic in self._topics:
            await self._subscribe(session, topic)
        ending = asyncio.ensure_future(self._ended(session))
        self._output.note(f"listening at {self._where.shown}, realm {self._where.realm}; Ctrl-C ends it")
        try:
            shown = 0
            while count is None or shown < count:
                event = await self._events.get()
                if isinstance(event, CommandFailed):
                    raise event
                self._show(event)
                shown += 1
        finally:
            ending.cancel()

    async def _subscribe(self, session: CommandSession, topic: str) -> None:
        after = None
        if self._history is not None or self._since is not None:
            after = await self._show_past(session, topic)
        try:
            await session.subscribe(
                topic,
                lambda event: self._events.put_nowait(live(event)),
                match=self._match,
                after=after,
                on_gap=self._gap,
                on_lost=self._lost,
            )
        except ApplicationError as error:
            raise request_failed(error, topic) from None

    async def _show_past(self, session: CommandSession, topic: str) -> Position | None:
        """Queue what is kept of a topic; where the live events go on from."""
        position: int | None = self._since
        while True:
            page = await self._page(session, topic, position)
            if not page.get("recovered") and self._since is not None:
                self._output.note(
                    f"{topic}: publication {self._since} is not in the history (any more); what follows are the newest"
                    " events that are kept"
                )
            for event in page["events"]:
                self._events.put_nowait(kept(event, topic))
            position = page["position"]
            if not page.get("more") or self._history is not None:
                break
        if page["epoch"] is None and not page["events"]:
            self._output.note(f"{topic}: the router keeps no history of it")
            return None
        return Position(position, page["epoch"])

    async def _page(self, session: CommandSession, topic: str, after: int | None) -> dict[str, Any]:
        limit = _PAGE if self._history is None else min(self._history, _PAGE)
        arguments = {"topic": topic, "match": self._match, "after_publication": after, "limit": limit}
        try:
            answer = await (await session.conversation()).ask(_RECOVER, [], arguments)
        except ApplicationError as error:
            if error.error == uri.NO_SUCH_PROCEDURE:
                raise CommandFailed("this router keeps no history: leave out --history and --since") from None
            raise request_failed(error, topic) from None
        return answer.kwargs

    def _show(self, event: Shown) -> None:
        if self._output.json:
            self._output.event(event.document, "")
        else:
            self._output.line(event.line(self._output))
            sys.stdout.flush()

    # --- what happens beside the events ---

    async def _ended(self, session: CommandSession) -> None:
        state = await session.wait_closed()
        text = f"{self._where.shown}: the session was ended: {told(state.message, state.reason)}"
        self._events.put_nowait(Refused(text))

    def _told_state(self, state: State) -> None:
        if (words := connection_words(state)) is not None:
            self._output.note(words)

    def _gap(self, gap: Gap) -> None:
        what = f"{gap.dropped:,} events are" if gap.dropped else "events may be"
        since = f" since {gap.since}" if gap.since else ""
        self._output.note(f"gap: {what} missing on {gap.topic}{since} ({gap.why})")

    def _lost(self, lost: Lost) -> None:
        self._output.note(f"{lost.topic}: {told(lost.message, lost.reason)}")
        self._left -= 1
        if self._left == 0:
            self._events.put_nowait(Refused(_REFUSED_FOR_GOOD))
