"""What a realm announces of itself in WELCOME ("Router: Role and Feature Announcement"): nothing that isn't there."""

from __future__ import annotations

from typing import Any, Final

_BROKER: Final = {
    "pattern_based_subscription": True,
    "payload_passthru_mode": True,
    "publisher_exclusion": True,
    "publisher_identification": True,
    "session_meta_api": True,
    "subscriber_blackwhite_listing": True,
    "subscription_meta_api": True,
    "subscription_revocation": True,
}
_DEALER: Final = {
    "call_canceling": True,
    "call_timeout": True,
    "caller_identification": True,
    "pattern_based_registration": True,
    "payload_passthru_mode": True,
    "progressive_call_invocations": True,
    "progressive_call_results": True,
    "registration_meta_api": True,
    "registration_revocation": True,
    "session_meta_api": True,
    "shared_registration": True,
    "testament_meta_api": True,
}


def announced(*, history: bool, retention: bool) -> dict[str, Any]:
    """The roles with their features.

    Args:
        history: whether events are kept ("Event History").
        retention: whether events are retained ("Event Retention").
    """
    broker = {
        **_BROKER,
        **({"event_history": True} if history else {}),
        **({"event_retention": True} if retention else {}),
    }
    return {
        "broker": {"features": broker},
        "dealer": {"features": _DEALER},
    }
