"""The authmethods ``wamp-scram`` and ``scram``: both sides prove that they know a password of which none is kept.

"Salted Challenge Response Authentication", RFC 5802 and RFC 7677. The
specification's name is ``wamp-scram``. Autobahn's clients, and Crossbar, call
theirs ``scram`` and compute some things otherwise; see :data:`AUTOBAHN_SCRAM`.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from wampgate.authentication.channel_binding import binding_of
from wampgate.authentication.derivation import AUTOBAHN
from wampgate.authentication.saslprep import saslprep
from wampgate.authentication.sources import Asked, KnownPrincipals, asking_authid, denied
from wampgate.core.errors import JoinRefused, uri
from wampgate.core.interfaces import Challenge, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.authentication.mock_credentials import MockCredentials
    from wampgate.core.interfaces import Connection, Credentials
    from wampgate.wire.messages import HelloDetails

SOURCE: Final = "scram"
"""What credential sources call the method, whichever way it is spoken."""

_MAX_NONCE: Final = 256
_NONCE_BYTES: Final = 16
_PROOF_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Way:
    """One way of speaking SCRAM.

    Attributes:
        authmethod: what HELLO calls it.
        kdfs: the key derivation functions whose keys belong to it.
        verifier: where WELCOME.Details.authextra has the router's own signature.
        binds: whether the channel binding is part of what is signed, and AUTHENTICATE.Extra repeats it with the nonce.
    """

    authmethod: str
    kdfs: frozenset[str]
    verifier: str
    binds: bool


WAMP_SCRAM: Final = Way("wamp-scram", frozenset({"argon2id13", "pbkdf2"}), "verifier", binds=True)
AUTOBAHN_SCRAM: Final = Way("scram", frozenset({AUTOBAHN}), "scram_server_signature", binds=False)
"""Autobahn Python signs ``c=`` with nothing behind it, does not escape the name, and sends no extra."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What has to be kept of an exchange until the proof comes.

    Attributes:
        asked: whom the challenge was sent.
        authid: HELLO.Details.authid, as it came.
        client_nonce: the client's.
        binding: the channel binding's type and data; None without one.
    """

    asked: Asked
    authid: str
    client_nonce: str
    binding: tuple[str, bytes] | None


class ScramAuthenticator:
    """Who can prove that it knows a principal's password is that principal, and the router proves itself to it.

    Args:
        way: which of the ways is spoken.
        known: who is known; asked for ``scram``.
        mock: what those get who are not.
        binding_required: whether only connections get in that are bound to their TLS channel.
    """

    def __init__(
        self,
        way: Way,
        known: KnownPrincipals,
        mock: MockCredentials,
        *,
        binding_required: bool = False,
    ) -> None:
        self.authmethod = way.authmethod
        self._way = way
        self._known = known
        self._mock = mock
        self._binding_required = binding_required

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`.

        Raises:
            JoinRefused: HELLO lacks an authid or a nonce, or asks for a channel binding that is not there.
            StoreUnavailable: it can't be said now who that is.
        """
        authid = asking_authid(details, self.authmethod)
        name = _normal(authid)
        authextra = details.authextra or {}
        nonce = _client_nonce(authextra)
        binding = binding_of(authextra, connection, required=self._binding_required)
        made_up = self._mock.of(name)
        found = await self._look_up(name, details, connection)
        asked = Asked(made_up, unknown=found) if isinstance(found, str) else found
        exchange = Exchange(asked, authid if self._way.binds else name, nonce, binding)
        return Challenge(self.authmethod, self._extra(asked.credentials, nonce), private=exchange)

    async def _look_up(self, name: str, details: HelloDetails, connection: Connection) -> Asked | str:
        found = await self._known.look_up(SOURCE, name, None, details, connection)
        if isinstance(found, str) or found.credentials.secret["kdf"] in self._way.kdfs:
            return found
        kdf = found.credentials.secret["kdf"]
        return f"the keys of {name!r} are made with {kdf}, which {self.authmethod} does not speak"

    def _extra(self, credentials: Credentials, client_nonce: str) -> dict[str, Any]:
        server_nonce = b64encode(secrets.token_bytes(_NONCE_BYTES)).decode()
        extra = {name: credentials.secret.get(name) for name in ("salt", "kdf", "iterations", "memory")}
        return {"nonce": client_nonce + server_nonce, **extra}

    async def authenticate(
        self,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        challenge: Challenge,
        signature: str,
        extra: Mapping[str, Any],
    ) -> Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.authenticate`.

        Raises:
            JoinRefused: the proof is none, or of another exchange or channel.
        """
        exchange: Exchange = challenge.private
        asked = exchange.asked
        if self._way.binds:
            _check_extra(extra, challenge.extra["nonce"], exchange.binding)
        message = _auth_message(self._way, exchange, challenge.extra)
        secret = asked.credentials.secret
        proved = is_proof(signature, _decoded(secret["stored_key"]), message)
        if not proved or asked.unknown:
            raise denied(asked.unknown or f"wrong proof for {asked.credentials.authid!r}")
        verifier = hmac.digest(_decoded(secret["server_key"]), message, "sha256")
        told = {self._way.verifier: b64encode(verifier).decode()}
        return self._known.principal(asked, self.authmethod, told)


def is_proof(signature: str, stored_key: bytes, message: bytes) -> bool:
    """Whether a ClientProof, in Base64, is made with the key of which ``stored_key`` is the hash."""
    proof = _decoded(signature)
    if len(proof) != _PROOF_BYTES:
        return False
    client_signature = hmac.digest(stored_key, message, "sha256")
    recovered = bytes(a ^ b for a, b in zip(proof, client_signature, strict=True))
    return hmac.compare_digest(sha256(recovered).digest(), stored_key)


def _auth_message(way: Way, exchange: Exchange, challenge: Mapping[str, Any]) -> bytes:
    """SCRAM's AuthMessage ("SCRAM Algorithms")."""
    name = exchange.authid.replace("=", "=3D").replace(",", "=2C") if way.binds else exchange.authid
    channel = b64encode(_cbind_input(exchange.binding)).decode() if way.binds else ""
    nonce = challenge["nonce"]
    return (
        f"n={name},r={exchange.client_nonce},"
        f"r={nonce},s={challenge['salt']},i={challenge['iterations']},"
        f"c={channel},r={nonce}"
    ).encode("utf-8", "surrogatepass")


def _cbind_input(binding: tuple[str, bytes] | None) -> bytes:
    if binding is None:
        return b"n,,"
    name, data = binding
    return f"p={name},,".encode() + data


def _check_extra(extra: Mapping[str, Any], nonce: str, binding: tuple[str, bytes] | None) -> None:
    """See that AUTHENTICATE.Extra repeats the exchange's nonce and channel binding.

    Raises:
        JoinRefused: it is of another exchange, or came over another channel.
    """
    if extra.get("nonce") != nonce:
        raise denied("the nonce is another exchange's")
    name, data = extra.get("channel_binding"), extra.get("cbind_data")
    if name != (None if binding is None else binding[0]) or (data is None) != (binding is None):
        raise denied("the channel binding is not the one that HELLO asked for")
    if binding is not None and not hmac.compare_digest(_decoded(data), binding[1]):
        raise denied("the channel binding data is another channel's")


def _client_nonce(authextra: Mapping[str, Any]) -> str:
    """The client's nonce.

    Raises:
        JoinRefused: there is none, or it is no Base64.
    """
    nonce = authextra.get("nonce")
    if not isinstance(nonce, str) or len(nonce) > _MAX_NONCE or not _decoded(nonce):
        what = f"Base64 of at most {_MAX_NONCE} characters in authextra.nonce"
        raise JoinRefused(uri.INVALID_ARGUMENT, f"SCRAM needs a nonce: {what}")
    return nonce


def _normal(authid: str) -> str:
    """An authid in its one form.

    Raises:
        JoinRefused: it has none.
    """
    try:
        return saslprep(authid)
    except ValueError as error:
        raise JoinRefused(uri.INVALID_ARGUMENT, f"HELLO.Details.authid: {error}") from None


def _decoded(text: object) -> bytes:
    """Canonical Base64, decoded; nothing of what is none."""
    try:
        decoded = b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return decoded if b64encode(decoded).decode() == text else b""
