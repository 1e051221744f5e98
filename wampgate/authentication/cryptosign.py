"""The authmethod ``cryptosign``: an Ed25519 key signs a challenge ("Cryptosign-based Authentication").

Certificates with trust roots on a blockchain, and remote attestation, are not
spoken; HELLO's ``trustroot`` is ignored.
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wampgate.authentication.channel_binding import binding_of
from wampgate.authentication.sources import Asked, KnownPrincipals, check_length, denied
from wampgate.core.errors import JoinRefused, uri
from wampgate.core.interfaces import Challenge, Credentials, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.interfaces import Connection
    from wampgate.wire.messages import HelloDetails

_CHALLENGE_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_ANSWER: Final = re.compile(r"[0-9a-fA-F]{192}", re.ASCII)
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class _ToSign(NamedTuple):
    """What has to be signed, and by whom."""

    asked: Asked
    message: bytes


class CryptosignAuthenticator:
    """Who can sign with the private key of a public one that is known is the principal whom it belongs to.

    Args:
        known: whose public keys are known.
        binding_required: whether only connections get in that are bound to their TLS channel.
    """

    authmethod: Final = "cryptosign"

    def __init__(self, known: KnownPrincipals, *, binding_required: bool = False) -> None:
        self._known = known
        self._binding_required = binding_required

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`.

        Raises:
            JoinRefused: HELLO shows no public key, or asks for a channel binding that is not there.
            StoreUnavailable: it can't be said now whose key it is.
        """
        authextra = details.authextra or {}
        key = _public_key(authextra)
        check_length(details.authid or "")
        binding = binding_of(authextra, connection, required=self._binding_required)
        asked = await self._look_up(key, details, connection)
        message = secrets.token_bytes(_CHALLENGE_BYTES)
        signed = message if binding is None else _bound(message, *binding)
        extra = {"challenge": message.hex(), "channel_binding": None if binding is None else binding[0]}
        return Challenge(self.authmethod, extra, private=_ToSign(asked, signed))

    async def _look_up(self, key: str, details: HelloDetails, connection: Connection) -> Asked:
        nobody = Credentials(details.authid or key, "", "static", {"public_key": key})
        found = await self._known.look_up(self.authmethod, details.authid, key, details, connection)
        if isinstance(found, str):
            return Asked(nobody, unknown=found)
        known = found.credentials
        # A source is trusted to know the key, not to have compared it; nor the authid.
        if str(known.secret.get("public_key")).lower() != key or details.authid not in (None, known.authid):
            return Asked(nobody, unknown=f"the key {key} is not the one of {known.authid!r}, or {details.authid!r}")
        return found

    async def authenticate(
        self,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        challenge: Challenge,
        signature: str,
        extra: Mapping[str, Any],  # noqa: ARG002 - the interface's
    ) -> Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.authenticate`.

        Raises:
            JoinRefused: the signature is not the key's, or of another challenge or channel.
        """
        to_sign: _ToSign = challenge.private
        asked = to_sign.asked
        fits = is_signature(signature, str(asked.credentials.secret["public_key"]), to_sign.message)
        if not fits or asked.unknown:
            raise denied(asked.unknown or f"wrong signature for {asked.credentials.authid!r}")
        return self._known.principal(asked, self.authmethod)


def is_signature(answer: str, public_key: str, message: bytes) -> bool:
    """Whether an answer is a key's signature of a message, and the message behind it.

    Args:
        answer: what AUTHENTICATE brings: signature and message, 96 bytes in hexadecimal.
        public_key: 32 bytes in hexadecimal.
        message: what had to be signed.
    """
    if _ANSWER.fullmatch(answer) is None:
        return False
    data = bytes.fromhex(answer)
    signature, signed = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return hmac.compare_digest(signed, message)


def channel_id(name: str, data: bytes) -> bytes:
    """The 32 bytes that a challenge is combined with ("TLS Channel Binding").

    Args:
        name: the channel binding's type.
        data: the channel binding's data.
    """
    # A Finished message has 12 bytes; Autobahn and Crossbar make the 32 of a channel id of it in this way.
    return data if name == "tls-exporter" else sha256(data).digest()


def _bound(message: bytes, name: str, data: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(message, channel_id(name, data), strict=True))


def _public_key(authextra: Mapping[str, Any]) -> str:
    """The public key that HELLO shows, in lower case.

    Raises:
        JoinRefused: it shows none.
    """
    key = authextra.get("pubkey")
    if not isinstance(key, str) or _KEY.fullmatch(key) is None:
        raise JoinRefused(
            uri.INVALID_ARGUMENT, "cryptosign needs the public key in authextra.pubkey: 64 hexadecimal digits"
        )
    return key.lower()
