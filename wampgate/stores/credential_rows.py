"""How rows of a table of credentials become what an authentication method checks: exactly, or not at all."""

from __future__ import annotations

import hashlib
import math
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from wampgate.core.interfaces import Credentials, Known
from wampgate.stores.questions import RowsUnusable, is_askable, seconds_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS: Final = "(authid, key, role, user_id, data, seconds_left)"

CREDENTIAL_PARAMETERS: Final = "authmethod authid key"
"""What a query about credentials is asked by; see :class:`wampgate.stores.engine.Query`."""

MAX_DATA: Final = 16_384
"""So many characters may a row's ``data`` have: what is more is somebody's attempt to make us work."""

Text = Annotated[str, Meta(min_length=1)]
Iterations = Annotated[int, Meta(ge=1, le=10_000_000)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

_ROLE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}", re.ASCII).fullmatch


class _Wampcra(Struct, omit_defaults=True):
    secret: Text
    salt: str | None = None
    iterations: Iterations | None = None
    keylen: Annotated[int, Meta(ge=16, le=64)] | None = None

    def check(self) -> None:
        """What types can't say.

        Raises:
            ValueError: beside a salt the secret is none that was derived.
        """
        if self.salt is not None and _length_of(self.secret) != (self.keylen or 32):
            raise ValueError("data.secret is not, beside a salt, keylen (32) bytes in Base64")


class _Scram(Struct, omit_defaults=True):
    kdf: Literal["argon2id13", "argon2id-13", "pbkdf2"]
    salt: Text
    iterations: Iterations
    stored_key: Text
    server_key: Text
    memory: Iterations | None = None

    def check(self) -> None:
        """What types can't say.

        Raises:
            ValueError: what has to be Base64 is none, or of another length.
        """
        if not 8 <= _length_of(self.salt) <= 64:
            raise ValueError("data.salt is not 8 to 64 bytes in Base64")
        for name in ("stored_key", "server_key"):
            if _length_of(getattr(self, name)) != 32:
                raise ValueError(f"data.{name} is not 32 bytes in Base64")
        if (self.memory is None) != (self.kdf == "pbkdf2"):
            raise ValueError("data.memory has to be there with argon2id, and with pbkdf2 it must not")


class _Cryptosign(Struct):
    public_key: Digest


class _Tls(Struct):
    fingerprint: Digest


Secret: TypeAlias = _Wampcra | _Scram | _Cryptosign | _Tls

_FORMS: Final[Mapping[str, type[Secret]]] = {
    "wampcra": _Wampcra,
    "scram": _Scram,
    "cryptosign": _Cryptosign,
    "tls": _Tls,
}
_KEYS: Final = {"cryptosign": "public_key", "tls": "fingerprint"}
"""The member that the column ``key`` stands for, in the methods that know such a thing."""


class RowUnusable(RowsUnusable):
    """One row can't be used; the text says which and why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What credentials are asked for by.

    Attributes:
        authmethod: the method.
        authid: the name; empty where only the key is known.
        key: the public key or fingerprint; empty where there is none.
    """

    authmethod: str
    authid: str
    key: str

    @property
    def is_askable(self) -> bool:
        """Whether there can be such a row at all."""
        texts = (self.authid, self.key)
        return self.authmethod in _FORMS and any(texts) and all(is_askable(text) for text in texts if text)

    @property
    def value(self) -> str:
        """All of it as one text, which :meth:`of` reads again."""
        # No part of it holds NUL: such a text is never asked for.
        return "\0".join((self.authmethod, self.authid, self.key))

    @classmethod
    def of(cls, value: str) -> Asked:
        """What a text of :attr:`value` says."""
        return cls(*value.split("\0"))


def credentials_of(rows: Sequence[Sequence[Any]], asked: Asked) -> Credentials | None:
    """The credentials that rows of :data:`COLUMNS` hold for what was asked; None if there are none, or not any more.

    Rows of another authid or key are passed over, whatever the database takes for equal.

    Raises:
        RowUnusable: the row holds nothing that the method could check.
        RowsUnusable: other columns or types, or rows that contradict each other.
    """
    if rows and len(rows[0]) != 6:
        raise RowsUnusable(f"the query returns {len(rows[0])} columns: expected {COLUMNS}")
    found = [row for row in map(_Row, rows) if row.answers(asked)]
    if len(found) > 1:
        if asked.authmethod in _KEYS and not asked.key and len({row.authid for row in found}) == 1:
            return None  # somebody with several keys, who shows none of them
        raise RowUnusable(
            f"{len(found)} rows of {asked.authmethod} for one authid or key can't be used: make it unique"
        )
    if not found or not found[0].seconds_left > 0:  # so that NaN is refused too
        return None
    return found[0].credentials(asked.authmethod)


class _Row:
    """One row, its columns as text."""

    def __init__(self, columns: Sequence[Any]) -> None:
        authid, key, role, user, self.data, seconds_left = columns
        self.authid = text_of(authid, "authid")
        self.key = text_of(key, "key").lower()
        self.role = text_of(role, "role")
        self.user = text_of(user, "user_id")
        self.seconds_left = seconds_of(seconds_left, if_null=math.inf)

    def answers(self, asked: Asked) -> bool:
        return asked.authid in ("", self.authid) and asked.key in ("", self.key)

    def credentials(self, authmethod: str) -> Credentials:
        try:
            data = self._members()
            secret = self._secret(authmethod, data)
            self._check()
        except (msgspec.MsgspecError, ValueError) as error:
            # What msgspec says names members and types, never what stands in them.
            raise RowUnusable(f"the row of {authmethod} {self.authid!r:.100} can't be used: {error}") from None
        extra = data.get("extra", {})
        content = hashlib.sha256(
            msgspec.json.encode([self.authid, self.key, self.role, self.user, data], order="deterministic")
        )
        return Credentials(
            self.authid,
            self.role,
            "store",
            secret,
            user=self.user or None,
            extra=extra,
            seconds_left=self.seconds_left,
            known=Known(authmethod, self.authid, self.key, content.hexdigest()),
        )

    def _members(self) -> dict[str, Any]:
        data = self.data
        if data is None:
            return {}
        if isinstance(data, str):
            if len(data) > MAX_DATA:
                raise ValueError(f"data has more than {MAX_DATA} characters")
            try:
                data = msgspec.json.decode(data)
            except (msgspec.DecodeError, RecursionError, UnicodeError):
                raise ValueError("data is not JSON") from None
        if not isinstance(data, dict) or not isinstance(data.get("extra", {}), dict):
            raise ValueError("data, and extra in it, have to be JSON objects")  # noqa: TRY004 - one kind for all faults
        return data

    def _secret(self, authmethod: str, data: Mapping[str, Any]) -> dict[str, Any]:
        member = _KEYS.get(authmethod)
        if member is not None and self.key:
            data = {**data, member: self.key}
        form = msgspec.convert(data, _FORMS[authmethod])
        if isinstance(form, _Scram | _Wampcra):
            form.check()
        secret: dict[str, Any] = msgspec.to_builtins(form)
        return secret

    def _check(self) -> None:
        """A row gives nobody what is the router's own.

        Raises:
            ValueError: it would, or its names are none.
        """
        if not self.authid or not self.authid.isprintable() or _is_the_routers(self.authid):
            raise ValueError("its authid is empty, not printable or the router's own")
        if self.role and (_ROLE(self.role) is None or _is_the_routers(self.role)):
            raise ValueError("its role is none that can be given")


def _length_of(text: str) -> int:
    """How many bytes a text in Base64 stands for; -1 if it is none."""
    try:
        return len(b64decode(text, validate=True))
    except ValueError:
        return -1


def _is_the_routers(name: str) -> bool:
    return name == "wampgate" or name.startswith("wampgate.")
