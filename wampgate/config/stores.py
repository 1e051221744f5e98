"""Where tokens and memberships are: the sections of router.json for a realm's store."""

from typing import ClassVar, Final

from wampgate.config.section import Check, Section
from wampgate.config.values import (
    CacheSeconds,
    PoolSize,
    PostgresCredentialsQuery,
    PostgresDsn,
    PostgresMembershipQuery,
    PostgresTimeZone,
    PostgresTokenQuery,
    Preset,
    SqliteMembershipQuery,
    SqliteTimeZone,
    SqliteTokenQuery,
    StorePath,
    StoreSeconds,
    TokenHash,
)

PRESETS_OF_JTI: Final = ("passport", "league-bundle")
"""Their tables hold the names of signed tokens, which are no secret."""


def _strange_hash(preset: str | None, token_hash: str | None) -> str | None:
    """A hash that a preset's tables can't hold tokens by; None if all is well."""
    known = {"django-oauth-toolkit": "sha256"} | dict.fromkeys(PRESETS_OF_JTI, "plain")
    return token_hash if preset in known and token_hash not in (None, known[preset]) else None


class PostgresStore(Section, frozen=True, kw_only=True, tag_field="type", tag="postgres"):
    """Tokens and memberships in a Postgres database.

    Attributes:
        dsn: how to connect: libpq's URL or its ``key=value`` form.
        listen_dsn: a direct connection to the primary, where ``dsn`` leads through
            a PgBouncer or to a replica; changes are heard of through it.
        pool_size: how many connections are kept.
        timeout_seconds: an answer that takes longer counts as none.
        preset: whose tables hold the tokens, if not those that ``wampgate init``
            makes: an OAuth server's; ``docs/authentication.md`` names them.
        token_query: instead of the query for these tables. Parameter
            ``%(token)s``; ``docs/postgres.md`` names the columns.
        membership_query: likewise. Parameter ``%(user)s``.
        credentials_query: likewise, for those who show no token. Parameters
            ``%(authmethod)s``, ``%(authid)s`` and ``%(key)s``.
        token_hash: how the table holds tokens: as the SHA-256 in lower-case
            hexadecimal, or ``plain`` for tables that exist already; null for what
            the preset's server does, and SHA-256 without a preset.
        timezone: the zone of ``expires`` if that column knows none.
        allow_null_expires: whether a token without ``expires`` never ends;
            else it is refused.
        token_cache_seconds: how long a token that was found is remembered, as
            long as every change of it is heard of; ``docs/postgres.md`` says more.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "preset",
            ("preset", "token_query"),
            "null beside a token_query",
            lambda preset, query: "both" if preset is not None and query is not None else None,
        ),
        Check("token_hash", ("preset", "token_hash"), "null beside this preset: it is known", _strange_hash),
    )

    dsn: PostgresDsn
    listen_dsn: PostgresDsn | None = None
    pool_size: PoolSize = 4
    timeout_seconds: StoreSeconds = 3.0
    preset: Preset | None = None
    token_query: PostgresTokenQuery | None = None
    membership_query: PostgresMembershipQuery | None = None
    credentials_query: PostgresCredentialsQuery | None = None
    token_hash: TokenHash | None = None
    timezone: PostgresTimeZone = "UTC"
    allow_null_expires: bool = False
    token_cache_seconds: CacheSeconds = 30.0


class SqliteStore(Section, frozen=True, kw_only=True, tag_field="type", tag="sqlite"):
    """Tokens and memberships in an SQLite file.

    Attributes:
        path: the file, relative to router.json's folder.
        timeout_seconds: an answer that takes longer counts as none.
        token_query: instead of the query for the tables that ``wampgate init``
            makes. Parameter ``:token``.
        membership_query: likewise. Parameter ``:user``.
        token_hash: how the table holds tokens: as the SHA-256 in lower-case
            hexadecimal, or ``plain`` for tables that exist already.
        timezone: the zone of what stands in ``expires`` without an offset.
        allow_null_expires: whether a token without ``expires`` never ends;
            else it is refused.
    """

    path: StorePath
    timeout_seconds: StoreSeconds = 3.0
    token_query: SqliteTokenQuery | None = None
    membership_query: SqliteMembershipQuery | None = None
    token_hash: TokenHash = "sha256"  # noqa: S105 - a hash's name, no secret
    timezone: SqliteTimeZone = "UTC"
    allow_null_expires: bool = False
