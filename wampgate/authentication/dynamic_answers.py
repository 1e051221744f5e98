"""What a dynamic authenticator may answer: read strictly, so that a slip in it refuses instead of granting."""

from __future__ import annotations

import math
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.uri import is_reserved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.wire.payload import Payload

_ROLE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_MAX_NAME: Final = 128
_MAX_SECRET: Final = 4096
_MAX_SECONDS: Final = 10 * 365 * 86_400.0
_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Nonsense(Exception):
    """An answer that means nothing; the text says which field is wrong and how, and holds no value of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Someone whom a dynamic authenticator knows.

    Attributes:
        authid: the name; None where it leaves the client's.
        role: the role; None where it leaves the configuration's.
        user: the user id whose memberships count; None for nobody's.
        extra: goes into WELCOME's authextra.
        seconds_left: how long the session may live, more than 0; infinity for ever.
        secret: what the method checks, by name; empty for methods that check nothing more.
    """

    authid: str | None = None
    role: str | None = None
    user: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    seconds_left: float = math.inf
    secret: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read_answer(payload: Payload, authmethod: str, realm: str) -> Answer | None:
    """A procedure's result, as what it says of someone; None where it says that nobody is known.

    Args:
        payload: the result: a role, an object (also as keyword arguments), or null or false for nobody.
        authmethod: how the client wants to join; decides which secrets have to be there.
        realm: where; an answer may name this one only.

    Raises:
        Nonsense: it is none of these.
    """
    answered = _value_of(payload)
    if answered is None or answered is False:
        return None
    value = {"role": answered} if isinstance(answered, str) else _object(answered, "the answer")
    if _text(value.get("realm", realm), "realm") != realm:
        raise Nonsense("realm: a session joins the realm that it has asked for; leave it out")
    secrets = _SECRETS.get(authmethod, {})
    known = {*_COMMON, *secrets}
    given = {_ALIASES.get(name, name): each for name, each in value.items()}
    if len(given) < len(value):
        raise Nonsense("a field is there under two names")
    unknown = sorted(name for name in given if name not in known)
    if unknown:
        raise Nonsense(f"unknown field {unknown[0]!r:.60}; for {authmethod} the fields are {', '.join(sorted(known))}")
    return Answer(
        authid=_optional(given, "authid", _name),
        role=_optional(given, "role", _role),
        user=_optional(given, "user", _user),
        extra=_optional(given, "extra", _object) or {},
        seconds_left=_seconds(given.get("expires_in")),
        secret=_read_secrets(given, secrets, authmethod),
    )


def _value_of(payload: Payload) -> object:
    """The one value of a result.

    Raises:
        Nonsense: there are several.
    """
    args, kwargs = payload.args, payload.kwargs
    if not isinstance(args, list | tuple) or len(args) + bool(kwargs) > 1:
        raise Nonsense("one value was expected")
    return dict(kwargs) if kwargs else args[0] if args else None


def _optional(given: Mapping[str, Any], name: str, read: Callable[[object, str], Any]) -> Any:
    value = given.get(name)
    return None if value is None else read(value, name)


# --- the fields that every method has ---


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Nonsense(f"{name}: text was expected")
    return value


def _name(value: object, name: str) -> str:
    text = _text(value, name)
    if not 0 < len(text) <= _MAX_NAME or not text.isprintable() or " " in text or is_reserved(text):
        raise Nonsense(f'{name}: up to {_MAX_NAME} printable characters without spaces, outside "wampgate."')
    return text


def _role(value: object, name: str) -> str:
    text = _text(value, name)
    if _ROLE.fullmatch(text) is None or is_reserved(text):
        raise Nonsense(f'{name}: up to 64 ASCII letters, digits and "_.:-", outside "wampgate."')
    return text


def _user(value: object, name: str) -> str:
    """A user id; databases have them as numbers too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _name(value, name)


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Nonsense(f"{name}: an object was expected")
    return value


def _seconds(value: object) -> float:
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MAX_SECONDS:
        raise Nonsense("expires_in: a number of seconds over 0 was expected, or null for never")
    return float(value)


# --- what each method checks ---


def _secret_text(value: object, name: str) -> str:
    text = _text(value, name)
    if not 0 < len(text) <= _MAX_SECRET or not _is_unicode(text):
        raise Nonsense(f"{name}: text of 1 to {_MAX_SECRET} characters was expected")
    return text


def _salt(value: object, name: str) -> str:
    return _base64(value, name, 8, 64)


def _stored(value: object, name: str) -> str:
    return _base64(value, name, 32, 32)


def _base64(value: object, name: str, least: int, most: int) -> str:
    """Bytes in canonical Base64, so many of them."""
    text = _secret_text(value, name)
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        decoded = b""
    if not least <= len(decoded) <= most or b64encode(decoded).decode() != text:
        raise Nonsense(f"{name}: {least} bytes or more in Base64 were expected, at most {most}")
    return text


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise Nonsense(f"{name}: a whole number over 0 was expected")
    return value


def _kdf(value: object, name: str) -> str:
    if value not in ("argon2id13", "argon2id-13", "pbkdf2"):
        raise Nonsense(f"{name}: argon2id13 or pbkdf2 was expected")
    return str(value)


def _key(value: object, name: str) -> str:
    text = _text(value, name).lower()
    if _KEY.fullmatch(text) is None:
        raise Nonsense(f"{name}: 64 hexadecimal digits were expected")
    return text


def _is_unicode(text: str) -> bool:
    """Whether a text has no half of a surrogate pair, which no encoder takes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


_COMMON: Final = ("role", "authid", "user", "extra", "expires_in", "realm")
_SECRETS: Final[Mapping[str, Mapping[str, Callable[[object, str], Any]]]] = {
    "wampcra": {"secret": _secret_text, "salt": _secret_text, "iterations": _count, "keylen": _count},
    "scram": {
        "kdf": _kdf,
        "salt": _salt,
        "iterations": _count,
        "memory": _count,
        "stored_key": _stored,
        "server_key": _stored,
    },
    "cryptosign": {"public_key": _key},
    "tls": {"fingerprint": _key},
}
_ALIASES: Final = {"pubkey": "public_key", "stored-key": "stored_key", "server-key": "server_key"}
"""What authenticators that were written for Crossbar say."""

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "wampcra": ("secret",),
    "scram": ("kdf", "salt", "iterations", "stored_key", "server_key"),
    "cryptosign": ("public_key",),
}
_SALTED: Final = {"iterations": 1000, "keylen": 32}
"""WAMP-CRA's parameters where an answer has a salt and leaves them out, as Autobahn takes them then."""


def _read_secrets(
    given: Mapping[str, Any], secrets: Mapping[str, Callable[[object, str], Any]], authmethod: str
) -> Mapping[str, Any]:
    """What the method needs of an answer.

    Raises:
        Nonsense: something is missing or malformed.
    """
    found = {name: read(given[name], name) for name, read in secrets.items() if given.get(name) is not None}
    missing = [name for name in _REQUIRED.get(authmethod, ()) if name not in found]
    if missing:
        raise Nonsense(f"{missing[0]}: {authmethod} can't do without it")
    if authmethod == "wampcra":
        return {**_SALTED, **found} if "salt" in found else {"secret": found["secret"]}
    if authmethod == "scram" and found["kdf"] != "pbkdf2" and "memory" not in found:
        raise Nonsense("memory: argon2id13 can't do without it")
    return found
