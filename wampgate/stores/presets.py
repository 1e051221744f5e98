"""Token queries for the tables that OAuth servers make in Postgres, so that nobody has to write them again.

Each says what its server's own check says: which column the token is found by,
which flags revoke it, what its end is counted from. Memberships are not theirs to
know; they come from ``membership_query`` or its default.
"""

# The queries are put together of this file's constants; a token comes in as a parameter.
# ruff: noqa: S608

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wampgate.stores.questions import TokenHash


@dataclass(frozen=True, slots=True)
class Preset:
    """How one server's tables are asked.

    Attributes:
        token_query: see ``docs/postgres.md``; its parameter is ``%(token)s``.
        token_hash: how the tables hold tokens unless their owner has configured it otherwise.
        holds_jti: whether they hold the names of signed tokens (``jti``) instead of tokens.
    """

    token_query: str
    token_hash: TokenHash = "plain"  # noqa: S105 - a kind, no token
    holds_jti: bool = False


def _seconds(column: str) -> str:
    """A time column in seconds since 1970, whether it knows its zone or not; infinity stays infinity."""
    return (
        f"EXTRACT(EPOCH FROM CASE pg_typeof({column}) WHEN 'timestamp without time zone'::regtype"
        f" THEN {column}::timestamp AT TIME ZONE %(timezone)s ELSE {column}::timestamptz END)"
    )


_NOW: Final = "EXTRACT(EPOCH FROM clock_timestamp())"


def _found_by(column: str) -> str:
    """The first comparison uses the column's index, whatever its type; the second, as text, is exact."""
    return f"{column} = %(token)s AND {column}::text = %(token)s"


_BSHAFFER: Final = f"""
SELECT user_id::text, ({_seconds("expires")} - {_NOW})::float8
FROM oauth_access_tokens
WHERE {_found_by("access_token")}
"""

# Version 3 shipped sql/postgres.sql, version 4 described its tables in an example;
# later ones leave storage to the application. A client's own token is nobody's.
_LEAGUE_3: Final = f"""
SELECT s.owner_id::text, (t.access_token_expires - {_NOW})::float8
FROM oauth_session_access_tokens t JOIN oauth_sessions s ON s.id = t.session_id
WHERE {_found_by("t.access_token")} AND s.owner_type::text = 'user'
"""

_LEAGUE_4: Final = f"""
SELECT s.owner_id::text, (t.expire_time - {_NOW})::float8
FROM oauth_access_tokens t JOIN oauth_sessions s ON s.id = t.session_id
WHERE {_found_by("t.access_token")} AND s.owner_type::text = 'user'
"""

_LEAGUE_BUNDLE: Final = f"""
SELECT user_identifier::text, CASE WHEN revoked IS FALSE THEN ({_seconds("expiry")} - {_NOW})::float8 ELSE 0 END
FROM oauth2_access_token
WHERE {_found_by("identifier")}
"""

_PASSPORT: Final = f"""
SELECT user_id::text, CASE WHEN revoked IS FALSE THEN ({_seconds("expires_at")} - {_NOW})::float8 ELSE 0 END
FROM oauth_access_tokens
WHERE {_found_by("id")}
"""

# The end is counted from the creation, and a revocation may be dated in the future;
# LEAST leaves out what is NULL. The two columns read from JSON exist only where
# polymorphic owners or DPoP are enabled: an Admin's 7 is not User 7, and a token that
# is bound to a key can't be judged by its text alone.
_DOORKEEPER: Final = f"""
SELECT t.resource_owner_id::text,
       (LEAST({_seconds("t.created_at")} + t.expires_in, {_seconds("t.revoked_at")}) - {_NOW})::float8
FROM oauth_access_tokens t
WHERE {_found_by("t.token")}
  AND COALESCE(to_jsonb(t) ->> 'resource_owner_type', 'User') = 'User'
  AND (to_jsonb(t) ->> 'dpop_jkt') IS NULL
"""

# Since version 3 tokens are found by their checksum. A revoked one's row is deleted.
_DJANGO: Final = f"""
SELECT user_id::text, ({_seconds("expires")} - {_NOW})::float8
FROM oauth2_provider_accesstoken
WHERE {_found_by("token_checksum")}
"""

PRESETS: Final = {
    "bshaffer": Preset(_BSHAFFER),
    "league-3": Preset(_LEAGUE_3),
    "league-4": Preset(_LEAGUE_4),
    "league-bundle": Preset(_LEAGUE_BUNDLE, holds_jti=True),
    "passport": Preset(_PASSPORT, holds_jti=True),
    "doorkeeper": Preset(_DOORKEEPER),
    "django-oauth-toolkit": Preset(_DJANGO, token_hash="sha256"),  # noqa: S106 - a hash's name, no secret
}
"""By the name that ``router.json`` calls it."""


def resolve(preset: str | None, token_query: str | None, token_hash: TokenHash | None) -> tuple[str | None, TokenHash]:
    """The token query and the token hash that hold, given what is configured.

    Args:
        preset: a key of :data:`PRESETS`; None for no preset.
        token_query: the configured query; None where there is none.
        token_hash: the configured hash; None for the preset's, or SHA-256 without a preset.
    """
    if preset is None:
        return token_query, token_hash or "sha256"
    chosen = PRESETS[preset]
    return chosen.token_query, token_hash or chosen.token_hash
