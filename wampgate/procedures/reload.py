"""``wampgate.configuration.reload``: has router.json loaded anew; says what has changed, or why nothing has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from wampgate.core.errors import RequestRefused, WampgateError, uri

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from wampgate.core.procedures import Asked

NAME: Final = "wampgate.configuration.reload"


class Reloads(Protocol):
    """Loads the configuration anew."""

    async def reload(self) -> list[str]:
        """Do it; what has changed.

        Raises:
            WampgateError: nothing has, and why.
        """


class Reload:
    """Takes no arguments. The result's ``changed`` is a list of keys; an error's argument has a line for each fault.

    Args:
        reloads: does it; None where the configuration comes from nowhere.
    """

    def __init__(self, reloads: Reloads | None) -> None:
        self._reloads = reloads

    def __call__(self, asked: Asked) -> Awaitable[None]:
        """Answer a call, when it is done.

        Raises:
            RequestRefused: there are arguments, or nothing to load.
        """
        asked.arguments()
        if self._reloads is None:
            raise RequestRefused(uri.INVALID_CONFIGURATION, "the demo has no router.json: there is nothing to load")
        return _answer(asked, self._reloads)


async def _answer(asked: Asked, reloads: Reloads) -> None:
    try:
        changed = await reloads.reload()
    except WampgateError as error:
        raise RequestRefused(uri.INVALID_CONFIGURATION, str(error)) from None
    asked.result(changed=changed)
