"""Makes of a password what is kept in its place, in a principal's section or a store."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256
from secrets import token_bytes
from typing import Any, Final, Literal, TypeAlias

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from wampgate.authentication.saslprep import saslprep

Kdf: TypeAlias = Literal["argon2id13", "pbkdf2", "argon2id-13"]
"""The specification's two key derivation functions, and Argon2id as Autobahn's clients use it."""

AUTOBAHN: Final = "argon2id-13"
"""What Autobahn derives is the Base64 text of the specification's bytes, without padding."""

_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 16


def wampcra_secret(
    password: str, *, iterations: int = 10_000, keylen: int = _KEY_BYTES, salt: str | None = None
) -> dict[str, Any]:
    """A principal's ``wampcra`` section, salted (PBKDF2 with HMAC-SHA256).

    Args:
        password: what the client is given.
        iterations: how often it is hashed, by the client at each login.
        keylen: the derived key's length in bytes.
        salt: text; random if None.
    """
    salt = b64encode(token_bytes(_SALT_BYTES)).decode() if salt is None else salt
    key = pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations, keylen)
    return {"secret": b64encode(key).decode(), "salt": salt, "iterations": iterations, "keylen": keylen}


def scram_secret(
    password: str,
    *,
    kdf: Kdf = "argon2id13",
    iterations: int | None = None,
    memory: int | None = None,
    salt: bytes | None = None,
) -> dict[str, Any]:
    """A principal's ``scram`` section.

    Args:
        password: what the client is given.
        kdf: how it is hashed.
        iterations: how often, by the client at each login; a usual number if None.
        memory: for Argon2id, how much memory that takes, in KiB; a usual amount if None.
        salt: random if None.

    Raises:
        ValueError: the password holds what SASLprep prohibits, or a number is out of bounds.
    """
    salt = token_bytes(_SALT_BYTES) if salt is None else salt
    section: dict[str, Any] = {"kdf": kdf, "salt": b64encode(salt).decode()}
    if kdf == "pbkdf2":
        section["iterations"] = iterations or 600_000
    else:
        section |= {"iterations": iterations or 2, "memory": memory or 19_456}
    client_key, server_key = keys_of(salted_password(password, section))
    section["stored_key"] = b64encode(sha256(client_key).digest()).decode()
    section["server_key"] = b64encode(server_key).decode()
    return section


def salted_password(password: str, section: dict[str, Any]) -> bytes:
    """SCRAM's SaltedPassword.

    Args:
        password: the password.
        section: has ``kdf``, ``salt`` (Base64), ``iterations`` and, for Argon2id, ``memory``.

    Raises:
        ValueError: the password holds what SASLprep prohibits, or a number is out of bounds.
    """
    salt, kdf = b64decode(section["salt"]), section["kdf"]
    # Autobahn's client normalizes names only.
    data = (password if kdf == AUTOBAHN else saslprep(password)).encode()
    if kdf == "pbkdf2":
        return pbkdf2_hmac("sha256", data, salt, section["iterations"], _KEY_BYTES)
    derived = Argon2id(
        salt=salt, length=_KEY_BYTES, iterations=section["iterations"], lanes=1, memory_cost=section["memory"]
    ).derive(data)
    return b64encode(derived).rstrip(b"=") if kdf == AUTOBAHN else derived


def keys_of(salted: bytes) -> tuple[bytes, bytes]:
    """SCRAM's ClientKey and ServerKey of a SaltedPassword."""
    return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")
