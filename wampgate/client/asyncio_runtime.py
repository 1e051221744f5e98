"""What a session that stays needs of asyncio: the time, timers, flags and tasks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import txaio

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class AsyncioRuntime:
    """All of a :class:`wampgate.client.link.Runtime` but how to connect.

    Attributes:
        loop: the running event loop.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        # Autobahn takes its futures and timers from there.
        autobahn_s: Any = txaio
        autobahn_s.config.loop = self.loop

    def now(self) -> float:
        """See :class:`wampgate.client.link.Runtime`."""
        return self.loop.time()

    def flag(self) -> asyncio.Event:
        """See :class:`wampgate.client.link.Runtime`."""
        return asyncio.Event()

    def later(self, seconds: float, ring: Callable[[], object]) -> asyncio.TimerHandle:
        """See :class:`wampgate.client.link.Runtime`."""
        return self.loop.call_later(seconds, ring)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """See :class:`wampgate.client.link.Runtime`."""
        # The loop itself keeps weak references only.
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
