"""Keys made on the fly, the JWK sets that publish them, and tokens signed with them, well or badly.

The tokens are put together by hand and signed with `cryptography`: nothing of it is
PyJWT's or the router's, so that no mistake of theirs is shared.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER: Final = "https://login.example.org/"
AUDIENCE: Final = "wampgate"
ALGORITHMS: Final = ("RS256", "ES256", "EdDSA", "HS256")


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@dataclass
class SigningKey:
    """A private key, or a secret, for one algorithm."""

    algorithm: str
    kid: str | None
    private: Any

    def sign(self, data: bytes) -> bytes:
        match self.algorithm:
            case "RS256":
                return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
            case "ES256":
                r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")
            case "EdDSA":
                return self.private.sign(data)
        return hmac.digest(self.private, data, "sha256")

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as it is published; of a secret, the secret."""
        named = {"alg": self.algorithm, "use": "sig"} | ({} if self.kid is None else {"kid": self.kid})
        if self.algorithm == "HS256":
            return {"kty": "oct", "k": base64url(self.private)} | named
        public = self.private.public_key()
        match self.algorithm:
            case "RS256":
                numbers = public.public_numbers()
                return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)} | named
            case "ES256":
                point = public.public_numbers()
                return {"kty": "EC", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32)} | named
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(public.public_bytes_raw())} | named

    @property
    def pem(self) -> bytes:
        """The public key in PEM."""
        public: bytes = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return public

    def token(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A good token of joe's; claims and header fields are added or changed, None removes them."""
        return self.signed(self.header(header), self.claims(**claims))

    def header(self, changes: dict[str, Any] | None = None) -> dict[str, Any]:
        named = {"typ": "JWT", "alg": self.algorithm, "kid": self.kid} | (changes or {})
        return {name: value for name, value in named.items() if value is not None}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "joe", "exp": now + 600, "iat": now, "jti": "t-1"} | changes
        return {name: value for name, value in good.items() if value is not None}

    def signed(self, header: Any, claims: Any) -> str:
        """A token of any two JSON values, or of bytes as they are."""
        parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims))
        content = ".".join(base64url(part) for part in parts)
        return f"{content}.{base64url(self.sign(content.encode()))}"


_KEYS: dict[tuple[str, str | None], SigningKey] = {}


def signing_key(algorithm: str, kid: str | None = "k1") -> SigningKey:
    """A key of this name; the same one each time, since RSA keys take a while."""
    if (algorithm, kid) not in _KEYS:
        _KEYS[algorithm, kid] = SigningKey(algorithm, kid, _private(algorithm))
    return _KEYS[algorithm, kid]


def _private(algorithm: str) -> Any:
    match algorithm:
        case "RS256":
            return rsa.generate_private_key(65537, 2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
    return sha256(f"secret {len(_KEYS)}".encode()).hexdigest().encode()


def key_set(*keys: SigningKey) -> bytes:
    """The JWK set that publishes keys."""
    return json.dumps({"keys": [key.jwk for key in keys]}).encode()
