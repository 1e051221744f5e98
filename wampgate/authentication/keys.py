"""The keys that signed tokens are checked with: each good for one algorithm, whatever a token says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA", "HS256")

MIN_SECRET_BYTES: Final = 32
"""The shortest secret for HS256 (RFC 7518, section 3.2)."""

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
"""A key that takes longer to check with than this is somebody's attempt to make us work."""

MAX_KEYS: Final = 100
MAX_KID: Final = 256


class UnusableKeys(Exception):
    """A key set can't be used; says why, without its content."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One key.

    Attributes:
        kid: its name; None if it has none.
        algorithm: the only one that it is used with.
        material: a public key, or a secret.
    """

    kid: str | None
    algorithm: str
    material: Any

    def __repr__(self) -> str:
        return f"Key({self.kid!r}, {self.algorithm})"


class KeySet:
    """The keys of one issuer at one moment.

    Args:
        keys: those that can be used.

    Raises:
        UnusableKeys: two of one algorithm have the same name.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)
        self._key_by_name = {(key.kid, key.algorithm): key for key in keys if key.kid is not None}
        if len(self._key_by_name) < sum(key.kid is not None for key in keys):
            raise UnusableKeys("two keys of one algorithm have the same kid")

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key that a token names.

        A token that names none means the only key of its algorithm; if there are
        several, it means none: trying them all would make forgeries cheaper than checks.
        """
        if kid is None:
            return self._only(algorithm, self._keys)
        # A lone key without a name is the one that is meant, whatever it is called elsewhere.
        nameless = (key for key in self._keys if key.kid is None)
        return self._key_by_name.get((kid, algorithm)) or self._only(algorithm, nameless)

    def _only(self, algorithm: str, among: Iterable[Key]) -> Key | None:
        fitting = [key for key in among if key.algorithm == algorithm]
        return fitting[0] if len(fitting) == 1 else None


def secret_key(secret: str) -> KeySet:
    """The key set of one secret, for HS256.

    Raises:
        UnusableKeys: it is too short.
    """
    return KeySet([Key(None, "HS256", _checked_secret(secret.encode()))])


def read_keys(content: bytes, *, secrets: bool) -> KeySet:
    """The keys of a JWK set (RFC 7517), or of one public key or certificate in PEM.

    Keys of other kinds and for other uses are left out, as the RFC wants it.

    Args:
        content: the file's or the answer's.
        secrets: whether secrets (``oct``) may be among them: not in what the network brings.

    Raises:
        UnusableKeys: it is no key set, or none of its keys can be used.
    """
    if content.lstrip().startswith(b"-----BEGIN "):
        return KeySet([_pem_key(content)])
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnusableKeys("it is neither a JWK set in JSON nor a public key in PEM") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UnusableKeys('it is no JWK set: an object with a list "keys"')
    if len(entries) > MAX_KEYS:
        raise UnusableKeys(f"it has more than {MAX_KEYS} keys")
    keys = [key for key in (_usable(entry, secrets=secrets) for entry in entries) if key is not None]
    if not keys:
        raise UnusableKeys(f"none of its keys can be used: the algorithms are {', '.join(ALGORITHMS)}")
    return KeySet(keys)


def _usable(entry: object, *, secrets: bool) -> Key | None:
    """A key of a JWK set, or None if it is of another kind, for another use or broken."""
    if not isinstance(entry, dict):
        return None
    algorithm = _algorithm_of(entry)
    if algorithm is None or (algorithm == "HS256" and not secrets):
        return None
    kid, operations = entry.get("kid"), entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if kid is not None and (not isinstance(kid, str) or len(kid) > MAX_KID):
        return None
    try:
        return Key(kid, algorithm, _MATERIAL[algorithm](entry))
    except (jwt.PyJWTError, UnusableKeys, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        # What PyJWT says of a broken key quotes it.
        return None


def _algorithm_of(entry: dict[str, Any]) -> str | None:
    """The one algorithm of a key, by its type; None if it is for another one."""
    match entry.get("kty"), entry.get("crv"):
        case "RSA", _:
            algorithm = "RS256"
        case "EC", "P-256":
            algorithm = "ES256"
        case "OKP", "Ed25519":
            algorithm = "EdDSA"
        case "oct", _:
            algorithm = "HS256"
        case _:
            return None
    # RFC 9864 calls EdDSA with this curve by the curve's name.
    named = entry.get("alg", algorithm)
    return algorithm if named == algorithm or (algorithm, named) == ("EdDSA", "Ed25519") else None


def _public_parts(entry: dict[str, Any]) -> dict[str, Any]:
    """A key without its private part, if someone has published that too."""
    return {name: entry[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in entry}


def _rsa(entry: dict[str, Any]) -> Any:
    return _checked_rsa(jwt.PyJWK(_public_parts(entry), "RS256").key)


def _elliptic(entry: dict[str, Any]) -> Any:
    return jwt.PyJWK(_public_parts(entry), "ES256").key


def _edwards(entry: dict[str, Any]) -> Any:
    return jwt.PyJWK(_public_parts(entry), "EdDSA").key


def _secret(entry: dict[str, Any]) -> bytes:
    return _checked_secret(jwt.PyJWK({"kty": "oct", "k": entry["k"]}, "HS256").key)


_MATERIAL: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "RS256": _rsa,
    "ES256": _elliptic,
    "EdDSA": _edwards,
    "HS256": _secret,
}


def _pem_key(content: bytes) -> Key:
    if b"PRIVATE KEY" in content:
        raise UnusableKeys("it is a private key, which does not belong here: give the public one")
    try:
        if b"BEGIN CERTIFICATE" in content:
            public: Any = load_pem_x509_certificate(content).public_key()
        else:
            public = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKeys("it is no public key in PEM that can be read") from None
    match public:
        case rsa.RSAPublicKey():
            return Key(None, "RS256", _checked_rsa(public))
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return Key(None, "ES256", public)
        case ed25519.Ed25519PublicKey():
            return Key(None, "EdDSA", public)
    raise UnusableKeys("its key is none for RS256, ES256 or EdDSA")


def _checked_rsa(key: Any) -> Any:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise UnusableKeys(f"its RSA key has {key.key_size} bits: expected {MIN_RSA_BITS} to {MAX_RSA_BITS}")
    return key


def _checked_secret(secret: bytes) -> bytes:
    if len(secret) < MIN_SECRET_BYTES:
        raise UnusableKeys(f"its secret has {len(secret)} bytes: expected at least {MIN_SECRET_BYTES}")
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except jwt.PyJWTError:
        # Everyone knows a public key: with it as the secret, everyone could sign.
        raise UnusableKeys("its secret looks like a key of another kind, a public one perhaps") from None
    return secret
