"""A session's life over its connections: joined, lost, waiting, joined again, until it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.client.link import Ears
from wampgate.client.listeners import tell
from wampgate.client.plan import LEFT, NO_TOKEN, End, Returning, State
from wampgate.client.renewing import NoToken, Token, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.client.link import Abortable, Address, Link, Runtime

_GOODBYE_SECONDS: Final = 2.0


class Closed(Exception):
    """The session has ended and does not come back.

    Attributes:
        reason: a URI.
        message: one sentence.
    """

    def __init__(self, state: State) -> None:
        super().__init__(f"{state.message} ({state.reason})")
        self.reason = state.reason
        self.message = state.message


class Life:
    """Makes one connection after the other.

    Args:
        resumed: called with each connection that has joined.
        revoked: called with the id of a subscription that was taken back, and why.
        on_state: told of each change, by its :class:`State`.
    """

    def __init__(
        self,
        runtime: Runtime,
        address: Address,
        token: Token,
        returning: Returning,
        *,
        resumed: Callable[[Link], None],
        revoked: Callable[[int, str], None],
        on_state: Callable[[State], object] | None,
    ) -> None:
        self.state = State("connecting")
        self.link: Link | None = None
        self.tokens: Final = Tokens(runtime, token, self.uses)
        self._runtime, self._address, self._returning = runtime, address, returning
        self._resumed, self._revoked, self._on_state = resumed, revoked, on_state
        self._dialed: Abortable | None = None
        self._ears: Ears | None = None
        self._changed = runtime.flag()
        self._wake = runtime.flag()
        self._leaving = False

    def uses(self, link: Link) -> bool:
        """Whether a connection is the one in use."""
        return self.link is link

    async def joined(self) -> Link:
        """The connection in use, once there is one.

        Raises:
            Closed: there is none any more.
        """
        while self.link is None:
            if self.state.name == "closed":
                raise Closed(self.state)
            await self._changed.wait()
        return self.link

    async def closed(self) -> State:
        """How it has ended, once it has."""
        while self.state.name != "closed":
            await self._changed.wait()
        return self.state

    async def close(self) -> None:
        """Leave, and stay away."""
        self._leaving = True
        self._wake.set()
        if self.link is not None:
            self.link.leave()
            late = self._runtime.later(_GOODBYE_SECONDS, self._abort)
            await self.closed()
            late.cancel()
        else:
            self._abort()
            await self.closed()

    def retry(self) -> None:
        """Connect now instead of when the wait is over."""
        self._wake.set()

    async def run(self) -> None:
        """Live."""
        while not self._leaving:
            self._tell(State("connecting", self._returning.connecting()))
            end = await self._connection()
            if self._leaving:
                break
            wait = self._returning.wait_after(end, self._runtime.now())
            if wait is None:
                self._tell(State("closed", self._returning.attempt, end.reason, end.message))
                return
            self._tell(State("waiting", self._returning.attempt, end.reason, end.message, wait))
            await self._pause(wait)
        self._tell(State("closed", self._returning.attempt, LEFT, "closed here"))

    async def _connection(self) -> End:
        """One connection, from the first to the last; how it ended."""
        ends: list[End] = []
        over = self._runtime.flag()

        def gone(end: End) -> None:
            ends.append(end)
            over.set()

        self._dialed, self._ears = None, Ears(self._joined, self._revoked, self._left, gone)
        self._runtime.spawn(self._dial(self._ears))
        await over.wait()
        return ends[0]

    async def _dial(self, ears: Ears) -> None:
        try:
            ticket = await self.tokens.fetch()
        except NoToken as error:
            ears.end(End(NO_TOKEN, str(error)))
            return
        if not ears.over:
            self._dialed = self._runtime.dial(self._address, ticket, ears)

    def _joined(self, link: Link) -> None:
        if self._leaving:
            self._abort()
            return
        self.link = link
        self._returning.joined(self._runtime.now())
        # What concerns the whole session is subscribed to first.
        self._resumed(link)
        self._tell(State("joined", self._returning.attempt))

    def _left(self) -> None:
        self.link = None
        self.tokens.stop()

    async def _pause(self, seconds: float) -> None:
        self._wake = self._runtime.flag()
        bell = self._runtime.later(seconds, self._wake.set)
        await self._wake.wait()
        bell.cancel()

    def _abort(self) -> None:
        if self._dialed is not None:
            self._dialed.abort()
        elif self._ears is not None:
            self._ears.end(End(LEFT, "closed here"))

    def _tell(self, state: State) -> None:
        self.state = state
        if self._on_state is not None:
            tell(self._runtime.spawn, self._on_state, state, "the session's state")
        changed, self._changed = self._changed, self._runtime.flag()
        changed.set()
