"""What applications hand in to be told things: called so that their mistakes stop nobody else."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Coroutine

Spawn: TypeAlias = "Callable[[Coroutine[Any, Any, None]], None]"

log: Final = logging.getLogger("wampgate.client")


def tell(spawn: Spawn, listener: Callable[[Any], object], what: object, concerning: str) -> None:
    """Call a listener; what it returns is awaited apart, if it can be.

    Args:
        spawn: has a coroutine run by itself.
        listener: what an application handed in.
        what: its argument.
        concerning: names it in the log, should it fail.
    """
    try:
        result = listener(what)
    except Exception:
        log.exception("a listener of %s has failed", concerning)
        return
    if isinstance(result, Awaitable):
        spawn(_awaited(result, concerning))


async def _awaited(result: Awaitable[object], concerning: str) -> None:
    try:
        await result
    except Exception:
        log.exception("a listener of %s has failed", concerning)
