"""Publishes an event for each line of a file, many under way at a time, and tells of each that was refused."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from autobahn.wamp.exception import ApplicationError, TransportLost

from wampgate.commands.arguments import json_of
from wampgate.commands.errors import FAILED, OK, CommandFailed, Unreachable
from wampgate.commands.input_lines import lines_of
from wampgate.commands.speaking import speak, text_of, told
from wampgate.config.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Conversation
    from wampgate.commands.output import Output

_UNDER_WAY: Final = 256
"""So many events may be under way to the router before the first is acknowledged."""
_SHOWN: Final = 10
"""So many refusals are shown one by one."""


@dataclass(frozen=True, slots=True)
class Event:
    """What one line means.

    Attributes:
        topic: where to publish it.
        args, kwargs: its payload.
    """

    topic: str
    args: list[Any]
    kwargs: dict[str, Any]


@dataclass(slots=True)
class Tally:
    """How far it has come.

    Attributes:
        taken: how many lines were read that are an event.
        published: how many events the router has acknowledged, or was only sent.
        refused: how many lines it refused, or were no event.
    """

    output: Output
    taken: int = 0
    published: int = 0
    refused: int = 0

    def fail(self, number: int, why: str) -> None:
        """A line was refused."""
        self.refused += 1
        if self.refused <= _SHOWN:
            self.output.note(f"line {number:,}: {why}")
        elif self.refused == _SHOWN + 1:
            self.output.note("… and further ones")


def publish_lines(
    where: Where,
    output: Output,
    topic: str | None,
    source: str,
    options: Mapping[str, Any],
    *,
    rate: float | None,
    acknowledge: bool,
) -> int:
    """Publish an event for each line; the exit status.

    Args:
        where: which router, and as whom.
        output: takes the result.
        topic: of all; None where each line names its own.
        source: a file's path, or ``-``.
        options: PUBLISH's.
        rate: so many a second at most; None for no limit.
        acknowledge: whether each is waited for.

    Raises:
        CommandFailed: the file can't be read, or there is no router.
    """
    tally = Tally(output)

    async def work(session: CommandSession) -> None:
        with _opened(source) as (descriptor, total), _progress(output, total) as step:
            sender = _Sender(await session.conversation(), options, tally, step, rate, acknowledge=acknowledge)
            await sender.publish(descriptor, topic)

    speak(where, output, work)
    line = f"{tally.published:,} events published" + (f", {tally.refused:,} refused" if tally.refused else "")
    output.show(line, document={"published": tally.published, "refused": tally.refused})
    return FAILED if tally.refused else OK


def _progress(output: Output, total: int) -> AbstractContextManager[Callable[[int], object]]:
    return output.progress("publishing", total) if total else nullcontext(lambda _steps: None)


class _Sender:
    """Keeps a number of events under way."""

    def __init__(
        self,
        conversation: Conversation,
        options: Mapping[str, Any],
        tally: Tally,
        step: Callable[[int], object],
        rate: float | None,
        *,
        acknowledge: bool,
    ) -> None:
        self._conversation, self._options, self._tally, self._step = conversation, options, tally, step
        self._rate, self._acknowledge = rate, acknowledge
        self._room = asyncio.Semaphore(_UNDER_WAY)
        self._under_way: set[asyncio.Task[None]] = set()
        self._lost = False

    async def publish(self, descriptor: int, topic: str | None) -> None:
        """Publish all lines behind a descriptor.

        Raises:
            Unreachable: the connection was lost.
        """
        number, began = 0, asyncio.get_running_loop().time()
        async for line in lines_of(descriptor):
            number += 1
            if not line.strip():
                continue
            if self._rate is not None:
                await asyncio.sleep(began + self._tally.taken / self._rate - asyncio.get_running_loop().time())
            await self._take(number, line, topic)
            if self._lost:
                break
        if self._under_way:
            await asyncio.wait(self._under_way)
        if self._lost:
            raise Unreachable(
                f"the connection was lost; {self._tally.published:,} events were confirmed, up to line {number:,} some"
                " may have been published"
            )

    async def _take(self, number: int, line: bytes, topic: str | None) -> None:
        try:
            event = event_of(line, topic)
        except CommandFailed as error:
            self._tally.fail(number, error.message)
            return
        await self._room.acquire()
        self._tally.taken += 1
        task = asyncio.get_running_loop().create_task(self._send(number, event))
        self._under_way.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.release()
        self._step(1)

    async def _send(self, number: int, event: Event) -> None:
        try:
            if self._acknowledge:
                await self._conversation.tell(event.topic, event.args, event.kwargs, self._options)
            else:
                self._conversation.tell_only(event.topic, event.args, event.kwargs, self._options)
            self._tally.published += 1
        except ApplicationError as error:
            self._tally.fail(number, told(text_of(error), str(error.error)))
        except TransportLost:
            self._lost = True


def event_of(line: bytes, topic: str | None) -> Event:
    """What a line means.

    Args:
        line: JSON: a list of arguments, an object of keyword arguments, or one argument; without a topic an object
            with ``topic``, ``args`` and ``kwargs``.
        topic: where to publish.

    Raises:
        CommandFailed: nothing of that kind.
    """
    try:
        value = json_of(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise CommandFailed("expected UTF-8, got other bytes") from None
    if topic is None:
        return _complete(value)
    if isinstance(value, list):
        return Event(topic, value, {})
    if isinstance(value, dict):
        return Event(topic, [], value)
    return Event(topic, [value], {})


def _complete(value: Any) -> Event:
    if not isinstance(value, dict) or not isinstance(value.get("topic"), str):
        raise CommandFailed('expected an object with "topic", "args" and "kwargs"')
    args, kwargs = value.get("args", []), value.get("kwargs", {})
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise CommandFailed('expected "args" to be a list and "kwargs" an object')
    return Event(value["topic"], args, kwargs)


@contextmanager
def _opened(source: str) -> Iterator[tuple[int, int]]:
    """A file's descriptor, and how many lines it has; 0 where that can't be known."""
    if source == "-":
        yield sys.stdin.fileno(), 0
        return
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "not a legal path"
        raise CommandFailed(f"{printable(source)}: can't be read: {reason}") from None
    try:
        yield descriptor, _count(descriptor)
    finally:
        os.close(descriptor)


def _count(descriptor: int) -> int:
    """How many lines there are to come of a regular file; 0 of any other."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return 0
    lines = sum(piece.count(b"\n") for piece in iter(lambda: os.read(descriptor, 1 << 20), b""))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return lines
