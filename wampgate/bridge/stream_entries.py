"""Entries of Redis Streams as Redis sends them, and the events in them without anybody being told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wampgate.bridge.decoding import MAX_SIZE
from wampgate.bridge.outcomes import following_publication
from wampgate.bridge.rules import BridgedEvent, Undecodable
from wampgate.bridge.stream_ids import publication_of, stream_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wampgate.bridge.rules import StreamRule
    from wampgate.bridge.stream_ids import StreamId

_ANOTHER_RULE: Final = 1_000_000
"""More than the events of one entry: behind it begin those of the next rule that reads the same stream."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream.

    Attributes:
        stream: the stream's key.
        id: the entry's.
        fields: names and values; of a name that comes twice, the last value.
    """

    stream: str
    id: StreamId
    fields: Mapping[bytes, bytes]

    @property
    def size(self) -> int:
        """How many bytes its names and values have."""
        return sum(map(len, self.fields)) + sum(map(len, self.fields.values()))

    def publication(self, rule_index: int = 0) -> int:
        """The publication id of the first event that a rule finds here.

        Args:
            rule_index: which of the rules that read this stream.
        """
        return following_publication(publication_of(self.stream, self.id), rule_index * _ANOTHER_RULE)


def rows_by_stream(reply: Sequence[Any] | None) -> dict[str, Sequence[Any]]:
    """Read the answer to XREAD: for each stream that has news, what :func:`entries_of` reads.

    Raises:
        ValueError: that is no such answer.
    """
    try:
        return {key.decode(): rows for key, rows in reply or ()}
    except (AttributeError, TypeError, ValueError):
        raise ValueError("Redis sent entries in a form that is not known here") from None


def entries_of(stream: str, reply: Sequence[Any]) -> list[Entry]:
    """Read one stream's entries in the answer to XREAD or XRANGE.

    Raises:
        ValueError: that is no such answer.
    """
    try:
        return [
            Entry(stream, stream_id(entry), dict(zip(fields[::2], fields[1::2], strict=True)))
            for entry, fields in reply
        ]
    except (AttributeError, TypeError, ValueError):
        raise ValueError("Redis sent entries in a form that is not known here") from None


def events_of(rules: Iterable[StreamRule], entry: Entry) -> Iterator[tuple[BridgedEvent, int]]:
    """The events in an entry with their publication ids, as delivery would have them; none in what is poison.

    Args:
        rules: those that read the entry's stream, in their order.
        entry: the entry.
    """
    if entry.size > MAX_SIZE:
        return
    for rule_index, rule in enumerate(rules):
        first = entry.publication(rule_index)
        try:
            outcomes = [
                one for one in rule.translate_entry(entry.stream, entry.fields) if isinstance(one, BridgedEvent)
            ]
        except Undecodable:
            continue
        for index, event in enumerate(outcomes):
            yield event, following_publication(first, index)
