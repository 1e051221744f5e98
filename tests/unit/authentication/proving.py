"""Clients' side of the authentication methods, from the specification alone, and realms that know some principals."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from unit.core.routed import Clock, RealmUnderTest, Routed

from wampgate.authentication.cryptosign import CryptosignAuthenticator
from wampgate.authentication.derivation import keys_of, salted_password, scram_secret, wampcra_secret
from wampgate.authentication.mock_credentials import MockCredentials
from wampgate.authentication.scram import AUTOBAHN_SCRAM, WAMP_SCRAM, ScramAuthenticator
from wampgate.authentication.sources import CredentialChain, KnownPrincipals
from wampgate.authentication.static_credentials import StaticCredentials
from wampgate.authentication.wampcra import WampcraAuthenticator
from wampgate.core.interfaces import Connection, Credentials, Secured
from wampgate.wire.messages import ClientRoles, HelloDetails

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.core.interfaces import Authenticator, CredentialSource

CHANNEL: Final = bytes(range(32))
PLAIN: Final = Connection("127.0.0.1:50000", "127.0.0.1")
SECURE: Final = Connection(
    "127.0.0.1:50000",
    "127.0.0.1",
    secure=True,
    secured=Secured(bindings={"tls-exporter": CHANNEL, "tls-unique": b"f" * 12}),
)

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def credentials(authid: str, secret: Mapping[str, Any], role: str = "client", **more: Any) -> Credentials:
    return Credentials(authid, role, more.pop("provider", "static"), secret, **more)


STATIC: Final = (
    ("wampcra", credentials("ann", {"secret": "the secret of ann"})),
    ("wampcra", credentials("salty", wampcra_secret("password", iterations=10, salt="salt123"))),
    ("scram", credentials("ann", scram_secret("pencil", kdf="pbkdf2", iterations=10))),
    ("scram", credentials("argon", scram_secret("pencil", iterations=1, memory=64))),
    ("scram", credentials("bahn", scram_secret("pencil", kdf="argon2id-13", iterations=1, memory=64))),
    ("cryptosign", credentials("ann", {"public_key": public(KEY)})),
)


def hello(authid: str | None = None, **authextra: Any) -> HelloDetails:
    return HelloDetails(roles=ClientRoles(), authid=authid, authextra=authextra)


def authenticators(
    *sources: CredentialSource, clock: Clock | None = None, binding_required: bool = False
) -> dict[str, Authenticator]:
    """All methods with a challenge, in a realm that knows :data:`STATIC`, then what the sources know."""
    static = StaticCredentials(STATIC)
    chain = CredentialChain([static, *sources], reserved=["ann", "salty", "argon", "bahn", "backend"])
    known = KnownPrincipals(chain, role="member", now=clock or Clock())
    made: dict[str, Authenticator] = {
        "wampcra": WampcraAuthenticator(known, MockCredentials(static.of("wampcra"))),
        "cryptosign": CryptosignAuthenticator(known, binding_required=binding_required),
    }
    for way in (WAMP_SCRAM, AUTOBAHN_SCRAM):
        mock = MockCredentials([each for each in static.of("scram") if each.secret["kdf"] in way.kdfs])
        made[way.authmethod] = ScramAuthenticator(way, known, mock, binding_required=binding_required)
    return made


def routed(*sources: CredentialSource, guesses: int = 50) -> Routed:
    """A whole router with these methods."""
    return Routed(RealmUnderTest(authenticators=authenticators(*sources)), guesses=guesses)


class Table:
    """A source that knows what a test has put into it, and notes what it is asked."""

    def __init__(self, *known: tuple[str, Credentials]) -> None:
        self.known = known
        self.asked: list[tuple[str, str | None, str | None]] = []

    async def credentials(
        self, authmethod: str, authid: str | None, key: str | None, details: HelloDetails, connection: Connection
    ) -> Credentials | None:
        """See :class:`wampgate.core.interfaces.CredentialSource`."""
        self.asked.append((authmethod, authid, key))
        return next((each for method, each in self.known if (method, each.authid) == (authmethod, authid)), None)


# --- what a client answers ---


def cra(secret: str, challenge: str) -> str:
    return b64encode(hmac.digest(secret.encode(), challenge.encode(), "sha256")).decode()


def sign(key: Ed25519PrivateKey, challenge: str, channel: bytes | None = None) -> str:
    message = bytes.fromhex(challenge)
    if channel is not None:
        message = bytes(a ^ b for a, b in zip(message, channel, strict=True))
    return key.sign(message).hex() + message.hex()


class ScramClient:
    """One SCRAM exchange as the specification's pseudocode has it.

    Attributes:
        verifier: what WELCOME has to bring.
    """

    def __init__(
        self, authid: str, password: str, *, nonce: str = "egVDf3DMJh0=", binding: tuple[str, bytes] | None = None
    ) -> None:
        self._authid = authid
        self._password = password
        self.nonce = nonce
        self._binding = binding
        self.verifier = ""

    @property
    def authextra(self) -> dict[str, Any]:
        return {"nonce": self.nonce, "channel_binding": None if self._binding is None else self._binding[0]}

    def answer(self, challenge: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """AUTHENTICATE's signature and extra."""
        assert challenge["nonce"].startswith(self.nonce)
        salted = salted_password(self._password, dict(challenge))
        client_key, server_key = keys_of(salted)
        message = self._message(challenge)
        signature = hmac.digest(sha256(client_key).digest(), message, "sha256")
        self.verifier = b64encode(hmac.digest(server_key, message, "sha256")).decode()
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return b64encode(proof).decode(), self.extra(challenge["nonce"])

    def extra(self, nonce: str) -> dict[str, Any]:
        name, data = self._binding or (None, None)
        return {
            "nonce": nonce,
            "channel_binding": name,
            "cbind_data": None if data is None else b64encode(data).decode(),
        }

    def _message(self, challenge: Mapping[str, Any]) -> bytes:
        flag, data = b"n,,", b""
        if self._binding is not None:
            flag, data = f"p={self._binding[0]},,".encode(), self._binding[1]
        name = self._authid.replace("=", "=3D").replace(",", "=2C")
        first = f"n={name},r={self.nonce}"
        server = f"r={challenge['nonce']},s={challenge['salt']},i={challenge['iterations']}"
        final = f"c={b64encode(flag + data).decode()},r={challenge['nonce']}"
        return f"{first},{server},{final}".encode()


def tampered(text: str) -> Sequence[str]:
    """Answers that are nearly right, and some that are nothing at all."""
    other = b64encode(bytes([b64decode(text)[0] ^ 1]) + b64decode(text)[1:]).decode()
    return other, text[:-1], text + "A", "", "é", "\ud800", " " + text, text.lower(), "A" * 100_000
