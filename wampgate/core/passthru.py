"""Sealed payloads on their way through: who may send them, and what goes with them ("Payload Passthru Mode").

The router neither reads nor converts what is sealed; it hands on how it is packed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from wampgate.core.errors import ProtocolViolation, RequestRefused, uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.session import Session
    from wampgate.wire.messages import PayloadAttributes

    Details = TypeVar("Details", bound=PayloadAttributes)

SEAL: Final = (
    "ppt_scheme",
    "ppt_serializer",
    "ppt_cipher",
    "ppt_keyid",
    "enc_algo",
    "enc_key",
    "enc_serializer",
)
"""The attributes that say how a payload is packed; ``enc_*`` are Autobahn's names."""

NOT_SUPPORTED: Final = RequestRefused(
    uri.FEATURE_NOT_SUPPORTED, "the payload is sealed, and the peer that it is for has not announced that it knows such"
)


def check_announced(session: Session, feature: int) -> None:
    """See that a session may send sealed payloads.

    Args:
        session: who sends.
        feature: the bit for the role in which it does.

    Raises:
        ProtocolViolation: it has not announced the feature.
    """
    if not session.features & feature:
        raise ProtocolViolation("a sealed payload was sent, but payload_passthru_mode was not announced in HELLO")


def sealed(details: Details, options: PayloadAttributes) -> Details:
    """Details, with how the payload is packed."""
    for attribute in SEAL:
        setattr(details, attribute, getattr(options, attribute))
    return details


def sealed_error(details: Mapping[str, Any]) -> dict[str, Any]:
    """Of an ERROR's details, how its payload is packed: all else stays behind."""
    return {attribute: details[attribute] for attribute in SEAL if attribute in details}


def seal_of(options: PayloadAttributes) -> dict[str, Any] | None:
    """How a payload is packed, to be kept with it; None if it is not sealed."""
    if not options.opaque:
        return None
    return {attribute: value for attribute in SEAL if (value := getattr(options, attribute)) is not None}
