"""The token: fetched for each connection, and shown anew before it ends, so that the session goes on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from autobahn.wamp.exception import ApplicationError

from wampgate.client.plan import Renewal, curable

if TYPE_CHECKING:
    from wampgate.client.link import Cancellable, Link, Runtime

Token: TypeAlias = str | Callable[[], Awaitable[str] | str] | None
"""A token, or what fetches a fresh one for each connection and each renewal; None to join without one."""

log: Final = logging.getLogger("wampgate.client")
_REFRESH: Final = "wampgate.auth.refresh"


class NoToken(Exception):
    """What fetches the token has failed; the text names the kind of error and nothing else: the rest may be secret."""


class Tokens:
    """What fetches the token, and which one the router has been shown.

    Args:
        token: see :data:`Token`.
        uses: whether a connection is the one in use.
    """

    def __init__(self, runtime: Runtime, token: Token, uses: Callable[[Link], bool]) -> None:
        self._runtime = runtime
        self._token = token
        self._uses = uses
        self._shown: str | None = None
        self._renewal = Renewal()
        self._busy = False
        self._timer: Cancellable | None = None

    async def fetch(self) -> str | None:
        """A token to join with.

        Raises:
            NoToken: there is none now.
        """
        self._shown = await self._fetched()
        return self._shown

    def warned(self, link: Link, seconds: float) -> None:
        """The router says that the token has so many seconds left."""
        self._renewal.warned(seconds)
        if callable(self._token) and not self._busy:
            self._runtime.spawn(self._renew(link, self._runtime.now() + seconds))

    def stop(self) -> None:
        """The connection has ended: the next one begins with a fresh token."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _fetched(self) -> str | None:
        try:
            token = self._token() if callable(self._token) else self._token
            token = await token if isinstance(token, Awaitable) else token
        except Exception as error:
            raise NoToken(f"the token could not be fetched ({type(error).__name__})") from error
        if token is not None and not (isinstance(token, str) and token):
            raise NoToken(f"what fetches the token gave {'nothing' if not token else 'no text'}")
        return token

    async def _renew(self, link: Link, end: float) -> None:
        if self._busy or not self._uses(link):
            return
        self._busy = True
        try:
            wait = await self._shown_anew(link, end)
        finally:
            self._busy = False
        if wait is not None and self._uses(link):
            again, end = self._runtime, max(end, self._runtime.now() + 2 * wait)
            self._timer = again.later(wait, lambda: again.spawn(self._renew(link, end)))

    async def _shown_anew(self, link: Link, end: float) -> float | None:
        """Show another token; how long to wait before the next, None if the router will say so."""
        try:
            token = await self._fetched()
            if token != self._shown and self._uses(link):
                left = await link.call(_REFRESH, token)
                self._shown = token
                return self._renewal.refreshed(left)
        except NoToken as error:
            log.warning("%s; the session goes on with the one it has", error)
        except ApplicationError as error:
            if not self._uses(link):
                return None
            log.warning("the router did not take the new token: %s", error.error)
            if not curable(str(error.error)):
                return None
        return self._renewal.failed(end - self._runtime.now())
