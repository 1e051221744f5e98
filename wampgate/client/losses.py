"""What a subscriber is told of what it does not have: events that may be missing, and the subscription itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SLOW_READER: Final = "slow_reader"
"""Why a gap is one that the router's history may fill."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Events may be missing: what is shown should be loaded anew.

    Attributes:
        topic, match: where.
        why: ``wampgate.client.position_unknown`` (the history does not reach back, or there is none), what
            ``wampgate.gap`` says (``slow_reader``, ``bridge_interrupted``, …), or the URI of the error that
            asking got.
        since: when the first of them was published (ISO 8601, UTC); None if that is not known.
        dropped: how many they are; None if that is not known.
    """

    topic: str
    match: str
    why: str
    since: str | None = None
    dropped: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The router has taken a subscription back, or did not renew it.

    Attributes:
        topic: of the subscription.
        reason: a URI.
        message: one sentence.
    """

    topic: str
    reason: str
    message: str
