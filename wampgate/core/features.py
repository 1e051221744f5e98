"""Which optional features a client has announced in HELLO ("Client: Role and Feature Announcement"), as one number.

Only those are kept on which the router acts differently; a session has a bit for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from wampgate.wire.messages import ClientRoles

RevocationTold: TypeAlias = Literal["auto", "always", "never"]
"""Who of those that announce the feature is sent an UNSUBSCRIBED unasked: those that survive it, all, none."""

CALLEE_CANCELING: Final = 1 << 0
"""It takes INTERRUPT ("Call Canceling")."""

CALLEE_PROGRESSIVE_RESULTS: Final = 1 << 1
CALLEE_PROGRESSIVE_INVOCATIONS: Final = 1 << 2
CALLEE_TIMEOUT: Final = 1 << 3
"""It watches over timeouts itself, where its registration asks for that ("Call Timeouts")."""

CALLEE_REVOCATION: Final = 1 << 4
"""It takes an UNREGISTERED that it didn't ask for ("Registration Revocation")."""

SUBSCRIBER_REVOCATION: Final = 1 << 5
"""It takes an UNSUBSCRIBED that it didn't ask for ("Subscription Revocation")."""

PUBLISHER_PASSTHRU: Final = 1 << 6
SUBSCRIBER_PASSTHRU: Final = 1 << 7
CALLER_PASSTHRU: Final = 1 << 8
CALLEE_PASSTHRU: Final = 1 << 9
"""It knows sealed payloads ("Payload Passthru Mode")."""

CALLER_PROGRESSIVE_INVOCATIONS: Final = 1 << 10

_PASSTHRU: Final = ("payload_passthru_mode", "payload_transparency")
"""The feature's name, and what Autobahn calls it."""

_BITS: Final = {
    "publisher": dict.fromkeys(_PASSTHRU, PUBLISHER_PASSTHRU),
    "subscriber": {
        **dict.fromkeys(_PASSTHRU, SUBSCRIBER_PASSTHRU),
        "subscription_revocation": SUBSCRIBER_REVOCATION,
    },
    "caller": {
        **dict.fromkeys(_PASSTHRU, CALLER_PASSTHRU),
        "progressive_call_invocations": CALLER_PROGRESSIVE_INVOCATIONS,
    },
    "callee": {
        "call_canceling": CALLEE_CANCELING,
        # As "Progressive Call Invocations" spells it.
        "call_cancelling": CALLEE_CANCELING,
        "progressive_call_results": CALLEE_PROGRESSIVE_RESULTS,
        "progressive_call_invocations": CALLEE_PROGRESSIVE_INVOCATIONS,
        "call_timeout": CALLEE_TIMEOUT,
        "registration_revocation": CALLEE_REVOCATION,
        **dict.fromkeys(_PASSTHRU, CALLEE_PASSTHRU),
    },
}


def announced_by(roles: ClientRoles) -> int:
    """The features that a client announces, as the sum of their bits."""
    bits = 0
    for role, known in _BITS.items():
        announcement = getattr(roles, role)
        if announcement is not None and announcement.features:
            for feature, bit in known.items():
                if announcement.features.get(feature) is True:
                    bits |= bit
    return bits


def taken_by(roles: ClientRoles, agent: str, told: RevocationTold) -> int:
    """What a client has announced, less what it doesn't survive ("Subscription Revocation").

    Autobahn Python announces that it takes an UNSUBSCRIBED that it didn't ask for, and
    then dies of the request id 0 with a ProtocolError; it learns from `wampgate.revoked`
    alone, unless it is configured that whoever announces it gets one. The same goes for
    UNREGISTERED. Over RawSocket no client says what it is: it may be that one.

    Args:
        roles: as HELLO has them.
        agent: what the client calls itself; empty if it doesn't.
        told: who is sent one.
    """
    announced = announced_by(roles)
    if told == "always" or (told == "auto" and not agent.startswith(("AutobahnPython", "RawSocket"))):
        return announced
    return announced & ~(SUBSCRIBER_REVOCATION | CALLEE_REVOCATION)
