"""What all stores agree on: which texts may be asked for, what is asked for them, and how rows become answers."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from wampgate.core.interfaces import Membership, Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TokenHash = Literal["plain", "sha256"]
"""How tokens lie in the store: as they are, or as the lowercase hexadecimal SHA-256 of their UTF-8."""

MAX_LENGTH: Final = 4096
"""The longest token or user id that a store is asked for, in characters."""


class RowsUnusable(Exception):
    """A query answered, but not with the columns that its contract names. The text holds no value of a row."""


class TokenAmbiguous(RowsUnusable):
    """One token belongs to several users. Its other rows may be as they should be."""


def is_askable(text: str) -> bool:
    """Whether a text can stand in a database at all, and is no abuse.

    NUL can't stand in Postgres' texts, a lone surrogate in no UTF-8; a token
    longer than :data:`MAX_LENGTH` is somebody's attempt to make us work.
    """
    if not text or len(text) > MAX_LENGTH or "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def stored_form(token: str, token_hash: TokenHash) -> str:
    """A token as it stands in the store's table."""
    return token if token_hash == "plain" else hashlib.sha256(token.encode()).hexdigest()  # noqa: S105 - a kind


def check_token_hash(token_hash: str) -> None:
    """Raises ValueError unless it is a :data:`TokenHash`."""
    if token_hash not in ("plain", "sha256"):
        raise ValueError(f"token_hash is {token_hash!r}: expected 'plain' or 'sha256'")


def token_of(rows: Sequence[Sequence[Any]], *, allow_null_expires: bool) -> Token | None:
    """The token that rows of ``(user_id, seconds_left)`` describe.

    A table without a unique index may hold a token twice: then all its rows must
    be of one user, and the longest life counts. A row without a user (a token of
    an application, in bshaffer's schema) is nobody's: None.

    Raises:
        TokenAmbiguous: two users for one token.
        RowsUnusable: other columns or other types.
    """
    _check_width(rows, 2, 2, "(user_id, seconds_left)")
    lives: dict[str, float] = {}
    for user_id, seconds_left in rows:
        user = text_of(user_id, "user_id")
        life = seconds_of(seconds_left, if_null=math.inf if allow_null_expires else 0.0)
        lives[user] = max(life, lives.get(user, -math.inf))
    if len(lives) > 1:
        raise TokenAmbiguous("one token belongs to several users: make the token column unique")
    return next((Token(user, life) for user, life in lives.items() if user), None)


def memberships_of(rows: Sequence[Sequence[Any]]) -> list[Membership]:
    """The memberships that rows of ``(organization_id)``, ``(…, role)`` or ``(…, role, since)`` describe.

    Raises:
        RowsUnusable: other columns or other types.
    """
    _check_width(rows, 1, 3, "(organization_id), (organization_id, role) or (organization_id, role, since)")
    return list(_memberships(rows))


def _memberships(rows: Iterable[Sequence[Any]]) -> Iterable[Membership]:
    for organization_id, *more in rows:
        organization = text_of(organization_id, "organization_id")
        if organization:
            role = text_of(more[0], "role") if more else ""
            yield Membership(organization, role, _since(more[1]) if len(more) > 1 else None)


def _since(value: object) -> float:
    """When a membership began, in seconds since 1970; infinity for NULL."""
    if value is None:
        return math.inf
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.timestamp()
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise RowsUnusable(
        f"since is of type {type(value).__name__}: expected seconds since 1970, or a time with its time zone"
    )


def _check_width(rows: Sequence[Sequence[Any]], least: int, most: int, contract: str) -> None:
    if rows and not least <= len(rows[0]) <= most:
        raise RowsUnusable(f"the query returns {len(rows[0])} columns: expected {contract}")


def text_of(value: object, column: str) -> str:
    """An id as text, whatever its column's type; empty for NULL.

    Raises:
        RowsUnusable: it is of a type that ids are not.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    # bool is an int to Python, but no id to anyone.
    if isinstance(value, (int, UUID, Decimal)) and not isinstance(value, bool):
        return str(value)
    raise RowsUnusable(f"{column} is of type {type(value).__name__}: expected text, an integer or a UUID")


def seconds_of(value: object, *, if_null: float) -> float:
    """A life as a number of seconds, whatever its column's type.

    Raises:
        RowsUnusable: it is no number.
    """
    if value is None:
        return if_null
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        seconds = float(value)
        return 0.0 if math.isnan(seconds) else seconds
    raise RowsUnusable(f"seconds_left is of type {type(value).__name__}: expected a number of seconds")
