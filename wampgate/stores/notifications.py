"""What goes over the channel on which Postgres tells of changes: anyone may write there, so it is never trusted."""

from __future__ import annotations

from typing import Final

import msgspec

CHANNEL: Final = "wampgate"
"""The channel's name, in the triggers too."""


class Notification(msgspec.Struct, frozen=True):
    """A payload.

    Attributes:
        users: whose tokens or memberships may have changed, by user id.
        everything: whether anyone's may.
        heartbeat: what a listener sent itself.
    """

    users: frozenset[str] = frozenset()
    everything: bool = False
    heartbeat: str = ""


class PayloadUnreadable(Exception):
    """A payload is none of ours. Does not repeat it."""


_read = msgspec.json.Decoder(Notification).decode


def read(payload: str) -> Notification:
    """What a payload says; an empty one, as ``NOTIFY wampgate`` sends it, that anything may have changed.

    Raises:
        PayloadUnreadable: it is no payload of ours.
    """
    if not payload:
        return Notification(everything=True)
    try:
        return _read(payload)
    # Who sends brackets in brackets gets the second, who sends a lone surrogate the third.
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise PayloadUnreadable from None


def heartbeat(text: str) -> str:
    """The payload of a heartbeat."""
    return msgspec.json.encode({"heartbeat": text}).decode()
