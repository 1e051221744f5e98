"""What a realm announces of itself in WELCOME ("Router: Role and Feature Announcement"): nothing that isn't there."""

from __future__ import annotations

from typing import Any, Final

_BROKER: Final = {
    "pattern_based_subscription": True,
    "publisher_exclusion": True,
    "publisher_identification": True,
    "subscriber_blackwhite_listing": True,
    "subscription_revocation": True,
}
_DEALER: Final = {"caller_identification": True}


def announced(*, history: bool) -> dict[str, Any]:
    """The roles with their features.

    Args:
        history: whether events are kept ("Event History").
    """
    return {
        "broker": {"features": {**_BROKER, "event_history": True} if history else _BROKER},
        "dealer": {"features": _DEALER},
    }
