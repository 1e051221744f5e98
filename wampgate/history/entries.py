"""A kept event as the fields of a Redis stream entry, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate.core.passthru import seal_of
from wampgate.core.stored_events import Disclosed, StoredEvent
from wampgate.wire.messages import PublishOptions
from wampgate.wire.serializers import SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SERIALIZER_BY_NAME: Final = {serializer.name.encode(): serializer for serializer in SERIALIZERS}
_LISTS: Final = ("eligible_authid", "eligible_authrole", "exclude_authid", "exclude_authrole")

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_publisher: Final = msgspec.msgpack.Decoder(tuple[int, str, str]).decode
_decode_lists: Final = msgspec.msgpack.Decoder(dict[str, list[str]]).decode
_decode_seal: Final = msgspec.msgpack.Decoder(dict[str, str]).decode


class Unreadable(Exception):
    """An entry is none of ours. Its text holds nothing of the entry."""


def fields_of(event: StoredEvent, previous: int) -> list[bytes]:
    """Names and values in turn, as XADD takes them; what is not there is left out."""
    fields = [
        *(b"topic", event.topic.encode()),
        *(b"publication", b"%d" % event.publication),
        *(b"at", b"%.3f" % event.at),
        *(b"previous", b"%d" % previous),
        *(b"serializer", event.serializer.name.encode()),
    ]
    for name, part in zip((b"args", b"kwargs"), event.parts, strict=False):
        fields += (name, part)
    if event.publisher is not None:
        fields += (b"publisher", _encode(event.publisher))
    if event.audience is not None:
        lists = {name: value for name in _LISTS if (value := getattr(event.audience, name)) is not None}
        fields += (b"lists", _encode(lists))
    if event.seal is not None:
        fields += (b"seal", _encode(event.seal))
    return fields


def event_of(entry_id: bytes, fields: Sequence[bytes]) -> tuple[StoredEvent, int]:
    """An event, and the sequence of the one before it on its topic.

    Raises:
        Unreadable: something is missing or is not what it should be.
    """
    values = dict(zip(fields[::2], fields[1::2], strict=False))
    try:
        event = StoredEvent(
            values[b"topic"].decode(),
            int(values[b"publication"]),
            _SERIALIZER_BY_NAME[values[b"serializer"]],
            tuple(values[name] for name in (b"args", b"kwargs") if name in values),
            float(values[b"at"]),
            _publisher_of(values),
            _audience_of(values),
            sequence_of(entry_id),
            _seal_of(values),
        )
        # What can't be decoded would fail in the hands of whoever asks for it.
        event.payload()
        return event, int(values[b"previous"])
    except (KeyError, ValueError, TypeError, msgspec.MsgspecError) as error:
        raise Unreadable(f"{type(error).__name__} in entry {entry_id!r:.40}") from None


def sequence_of(entry_id: bytes) -> int:
    """The sequence of the event that has a stream entry's id."""
    return int(entry_id.partition(b"-")[0])


def _publisher_of(values: Mapping[bytes, bytes]) -> Disclosed | None:
    return Disclosed(*_decode_publisher(values[b"publisher"])) if b"publisher" in values else None


def _audience_of(values: Mapping[bytes, bytes]) -> PublishOptions | None:
    if b"lists" not in values:
        return None
    lists: dict[str, Any] = _decode_lists(values[b"lists"])
    if not set(lists) <= set(_LISTS):
        raise KeyError("lists")
    return PublishOptions(**lists)


def _seal_of(values: Mapping[bytes, bytes]) -> dict[str, str] | None:
    if b"seal" not in values:
        return None
    # By the types of an event's details, of which it becomes a part.
    return seal_of(msgspec.convert(_decode_seal(values[b"seal"]), PublishOptions))
