"""Out to Redis: which publications leave, to which channel, and as which bytes. Without I/O."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from wampgate.bridge.templates import InvalidRule, Template, TopicPattern, TopicTemplate
from wampgate.wire.serializers import JSON

if TYPE_CHECKING:
    from wampgate.core.session import Session
    from wampgate.wire.payload import Payload

OutFormat = Literal["envelope", "plain"]

WHOLE_TOPIC: Final = "topic"
"""The variable that stands for the whole topic in a channel's template."""


class OutRule:
    """Publications on some topics are published on Redis, as JSON.

    Args:
        topic: which topics, as ``orders.{shop}``.
        channel: the channel, with the topic's variables and ``{topic}`` for all of it.
        below: whether the topics below those are meant too.
        format: ``envelope`` for an object with topic, args, kwargs and publication;
            ``plain`` for the payload alone, as a plain rule reads it.
        sharded: whether to use sharded pub/sub (SPUBLISH).

    Raises:
        InvalidRule: a template or the format is wrong; the text says what to write.
    """

    def __init__(
        self,
        topic: str,
        channel: str,
        *,
        below: bool = False,
        format: OutFormat = "envelope",  # noqa: A002 - as in router.json
        sharded: bool = False,
    ) -> None:
        if format not in get_args(OutFormat):
            raise InvalidRule(f"out rule for topic {topic!r}: format {format!r} is neither envelope nor plain")
        self._topic = Template(topic)
        self._pattern = TopicTemplate(topic, self._topic).pattern()
        self.channel = Template(channel)
        for name in self.channel.names:
            if name not in (*self._topic.names, WHOLE_TOPIC):
                raise InvalidRule(f"channel {channel!r}: {{{name}}} gets its value from nowhere, for topic {topic!r}")
        if WHOLE_TOPIC in self._topic.names:
            raise InvalidRule(f"topic {topic!r}: {{topic}} stands for the whole topic; give the variable another name")
        self._below = below
        self._depth = topic.count(".") + 1
        self._encode = _envelope if format == "envelope" else _plain
        self._command = "SPUBLISH" if sharded else "PUBLISH"

    @property
    def label(self) -> str:
        """The rule's name for the log."""
        return f"out to {self.channel.text}"

    def pattern(self) -> TopicPattern:
        """What to listen to; :meth:`command` leaves aside what is matched besides."""
        return TopicPattern(self._topic.prefix(), "prefix") if self._below else self._pattern

    def command(
        self, publisher: Session | None, topic: str, publication: int, payload: Payload
    ) -> tuple[str, str, bytes] | None:
        """The command that sends a publication, as words; None if it is none of this rule's.

        Args:
            publisher: who published; None if that is not to be disclosed.
            topic: where.
            publication: the publication id.
            payload: what.

        Raises:
            ValueError: the payload can't be written as the rule wants.
        """
        variables = self._variables(topic)
        if variables is None:
            return None
        message = self._encode(publisher, topic, publication, payload)
        return self._command, self.channel.fill(variables), message

    def _variables(self, topic: str) -> dict[str, str] | None:
        head = topic
        if self._below:
            head = ".".join(topic.split(".", self._depth)[: self._depth])
        variables = self._topic.match(head)
        return None if variables is None else {**variables, WHOLE_TOPIC: topic}


def _envelope(publisher: Session | None, topic: str, publication: int, payload: Payload) -> bytes:
    # What came as JSON leaves as the same bytes.
    parts = payload.parts(JSON)
    args = parts[0] if parts else b"[]"
    kwargs = parts[1] if len(parts) > 1 else b"{}"
    fields = [b'{"topic":', JSON.encode_value(topic), b',"publication":%d' % publication]
    fields += [b',"args":', args, b',"kwargs":', kwargs]
    if publisher is not None:
        fields += [
            b',"publisher":%d' % publisher.id,
            b',"publisher_authid":',
            JSON.encode_value(publisher.principal.authid),
            b',"publisher_authrole":',
            JSON.encode_value(publisher.principal.authrole),
        ]
    return b"".join([*fields, b"}"])


def _plain(publisher: Session | None, topic: str, publication: int, payload: Payload) -> bytes:  # noqa: ARG001 - as above
    args: Any = payload.args
    if payload.kwargs:
        if args:
            raise ValueError("args and kwargs together are no plain payload")
        return JSON.encode_value(payload.kwargs)
    # One argument is written alone, unless it would be read back as args or kwargs.
    alone = len(args) == 1 and not isinstance(args[0], list | tuple | dict)
    return JSON.encode_value(args[0] if alone else args)


class OutQueue:
    """Commands that wait for Redis, in order and within bounds. What comes when it is full is not taken.

    Args:
        most: how many it may hold.
        most_bytes: how many bytes they may have together.
    """

    def __init__(self, most: int = 10_000, most_bytes: int = 16 << 20) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._commands: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._commands)

    def put(self, command: bytes) -> bool:
        """Append a command; whether there was room for it."""
        if len(self._commands) >= self._most or self._bytes + len(command) > self._most_bytes:
            return False
        self._commands.append(command)
        self._bytes += len(command)
        return True

    def take(self, most: int, most_bytes: int) -> list[bytes]:
        """Remove the oldest commands: so many at most, and no more once they have so many bytes."""
        taken: list[bytes] = []
        while self._commands and len(taken) < most and most_bytes > 0:
            command = self._commands.popleft()
            taken.append(command)
            most_bytes -= len(command)
            self._bytes -= len(command)
        return taken
