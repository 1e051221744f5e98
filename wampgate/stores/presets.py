"""Token queries for the tables that OAuth servers make in Postgres, so that nobody has to write them again.

Each says what its server's own check says: which column the token is found by,
which flags revoke it, what its end is counted from. Memberships are not theirs to
know; they come from ``membership_query`` or its default. The queries are put together
of this file's constants alone; a token comes in as a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wampgate.stores.questions import TokenHash


@dataclass(frozen=True, slots=True)
class TokenTable:
    """A table that decides about a token, and how the user whose it is can be told from one of its rows.

    Attributes:
        name: the table.
        column: its column with the user's id, or with the key of the row that has it.
        owner: where ``column`` is such a key: the other table, its key's column and its column with the user's id.
    """

    name: str
    column: str
    owner: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Preset:
    """How one server's tables are asked.

    Attributes:
        token_query: see ``docs/postgres.md``; its parameter is ``%(token)s``.
        many_tokens_query: the same for an array of tokens; the token comes before the other columns.
        tables: what the queries read; with our triggers on all of them, each change is heard of.
        token_hash: how the tables hold tokens unless their owner has configured it otherwise.
        holds_jti: whether they hold the names of signed tokens (``jti``) instead of tokens.
    """

    token_query: str
    many_tokens_query: str
    tables: tuple[TokenTable, ...]
    token_hash: TokenHash = "plain"  # noqa: S105 - a kind, no token
    holds_jti: bool = False


OUR_TABLE: Final = TokenTable("oauth_access_tokens", "user_id")
"""The table that ``wampgate init`` makes."""


def _seconds(column: str) -> str:
    """A time column in seconds since 1970, whether it knows its zone or not; infinity stays infinity."""
    return (
        f"EXTRACT(EPOCH FROM CASE pg_typeof({column}) WHEN 'timestamp without time zone'::regtype"
        f" THEN {column}::timestamp AT TIME ZONE %(timezone)s ELSE {column}::timestamptz END)"
    )


_NOW: Final = "EXTRACT(EPOCH FROM clock_timestamp())"


def _queries(user: str, seconds_left: str, source: str, column: str, more: str = "") -> tuple[str, str]:
    """The query for one token and the one for many.

    The first comparison uses the column's index, whatever its type; the second, as
    text, is exact. With many tokens it is done with what comes back.
    """
    one = f"{column} = %(token)s AND {column}::text = %(token)s"
    many = f"{column} = ANY (%(token)s)"
    return (
        f"\nSELECT {user}::text, ({seconds_left})::float8\nFROM {source}\nWHERE {one}{more}\n",
        f"\nSELECT {column}::text, {user}::text, ({seconds_left})::float8\nFROM {source}\nWHERE {many}{more}\n",
    )


def _unless_revoked(column: str) -> str:
    return f"CASE WHEN revoked IS FALSE THEN ({_seconds(column)} - {_NOW})::float8 ELSE 0 END"


_BSHAFFER: Final = _queries("user_id", f"{_seconds('expires')} - {_NOW}", "oauth_access_tokens", "access_token")

# Version 3 shipped sql/postgres.sql, version 4 described its tables in an example;
# later ones leave storage to the application. A client's own token is nobody's.
_LEAGUE_3: Final = _queries(
    "s.owner_id",
    f"t.access_token_expires - {_NOW}",
    "oauth_session_access_tokens t JOIN oauth_sessions s ON s.id = t.session_id",
    "t.access_token",
    " AND s.owner_type::text = 'user'",
)

_LEAGUE_4: Final = _queries(
    "s.owner_id",
    f"t.expire_time - {_NOW}",
    "oauth_access_tokens t JOIN oauth_sessions s ON s.id = t.session_id",
    "t.access_token",
    " AND s.owner_type::text = 'user'",
)

_LEAGUE_SESSIONS: Final = TokenTable("oauth_sessions", "owner_id")
_BY_SESSION: Final = ("oauth_sessions", "id", "owner_id")

_LEAGUE_BUNDLE: Final = _queries("user_identifier", _unless_revoked("expiry"), "oauth2_access_token", "identifier")

_PASSPORT: Final = _queries("user_id", _unless_revoked("expires_at"), "oauth_access_tokens", "id")

# The end is counted from the creation, and a revocation may be dated in the future;
# LEAST leaves out what is NULL. The two columns read from JSON exist only where
# polymorphic owners or DPoP are enabled: an Admin's 7 is not User 7, and a token that
# is bound to a key can't be judged by its text alone.
_DOORKEEPER: Final = _queries(
    "t.resource_owner_id",
    f"LEAST({_seconds('t.created_at')} + t.expires_in, {_seconds('t.revoked_at')}) - {_NOW}",
    "oauth_access_tokens t",
    "t.token",
    " AND COALESCE(to_jsonb(t) ->> 'resource_owner_type', 'User') = 'User' AND (to_jsonb(t) ->> 'dpop_jkt') IS NULL",
)

# Since version 3 tokens are found by their checksum. A revoked one's row is deleted.
_DJANGO: Final = _queries("user_id", f"{_seconds('expires')} - {_NOW}", "oauth2_provider_accesstoken", "token_checksum")

PRESETS: Final = {
    "bshaffer": Preset(*_BSHAFFER, (OUR_TABLE,)),
    "league-3": Preset(
        *_LEAGUE_3, (TokenTable("oauth_session_access_tokens", "session_id", _BY_SESSION), _LEAGUE_SESSIONS)
    ),
    "league-4": Preset(*_LEAGUE_4, (TokenTable("oauth_access_tokens", "session_id", _BY_SESSION), _LEAGUE_SESSIONS)),
    "league-bundle": Preset(*_LEAGUE_BUNDLE, (TokenTable("oauth2_access_token", "user_identifier"),), holds_jti=True),
    "passport": Preset(*_PASSPORT, (TokenTable("oauth_access_tokens", "user_id"),), holds_jti=True),
    "doorkeeper": Preset(*_DOORKEEPER, (TokenTable("oauth_access_tokens", "resource_owner_id"),)),
    "django-oauth-toolkit": Preset(
        *_DJANGO,
        (TokenTable("oauth2_provider_accesstoken", "user_id"),),
        token_hash="sha256",  # noqa: S106 - a hash's name, no secret
    ),
}
"""By the name that ``router.json`` calls it."""


@dataclass(frozen=True, slots=True)
class TokenQueries:
    """How a store asks for tokens.

    Attributes:
        one: the query for one token; None for that of our own table.
        many: the same for an array of tokens; None if there is none.
        tables: the names of the tables that they read; None if it is not known, or for our own.
        token_hash: how the tables hold tokens.
    """

    one: str | None
    many: str | None
    tables: tuple[str, ...] | None
    token_hash: TokenHash


def resolve(preset: str | None, token_query: str | None, token_hash: TokenHash | None) -> TokenQueries:
    """The queries and the hash that hold, given what is configured.

    Args:
        preset: a key of :data:`PRESETS`; None for no preset.
        token_query: the configured query; None where there is none.
        token_hash: the configured hash; None for the preset's, or SHA-256 without a preset.
    """
    if preset is None:
        return TokenQueries(token_query, None, None, token_hash or "sha256")
    chosen = PRESETS[preset]
    tables = tuple(table.name for table in chosen.tables)
    return TokenQueries(chosen.token_query, chosen.many_tokens_query, tables, token_hash or chosen.token_hash)
