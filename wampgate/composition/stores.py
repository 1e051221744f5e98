"""Makes a realm's token store of its section in router.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from wampgate.config.stores import PostgresStore, SqliteStore
from wampgate.stores import presets

if TYPE_CHECKING:
    from wampgate.config import model
    from wampgate.stores.postgres import PostgresTokenStore
    from wampgate.stores.preparing import Part
    from wampgate.stores.sqlite import SqliteTokenStore

CREDENTIAL_METHODS: Final = ("wampcra", "scram", "cryptosign", "tls")
"""The methods that ask a store for credentials."""

Store: TypeAlias = "PostgresTokenStore | SqliteTokenStore"


def parts_of(realm: model.Realm) -> list[Part]:
    """The tables that a realm needs beside those of tokens and memberships."""
    parts: list[Part] = []
    if any(method in CREDENTIAL_METHODS for method in realm.authmethods):
        parts.append("credentials")
    cookie = realm.authentication.cookie
    if cookie is not None and cookie.keep == "store":
        parts.append("cookies")
    return parts


def store_of(reactor: Any, store: PostgresStore | SqliteStore, *, asks_credentials: bool = False) -> Store:
    """The store; it is not opened yet.

    Args:
        reactor: Twisted's.
        store: the section.
        asks_credentials: whether a method is on that asks for credentials.
    """
    # Each driver is loaded only where it is used: together they are a third of the start.
    if isinstance(store, PostgresStore):
        from wampgate.stores.postgres import PostgresTokenStore  # noqa: PLC0415

        tokens = presets.resolve(store.preset, store.token_query, store.token_hash)
        return PostgresTokenStore(
            reactor,
            dsn=store.dsn.reveal(),
            listen_dsn=None if store.listen_dsn is None else store.listen_dsn.reveal(),
            pool_size=store.pool_size,
            timeout=store.timeout_seconds,
            token_query=tokens.one,
            many_tokens_query=tokens.many,
            token_tables=tokens.tables,
            token_cache_seconds=store.token_cache_seconds,
            membership_query=store.membership_query,
            credentials_query=store.credentials_query,
            asks_credentials=asks_credentials,
            token_hash=tokens.token_hash,
            timezone=store.timezone,
            allow_null_expires=store.allow_null_expires,
        )
    from wampgate.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

    return SqliteTokenStore(
        reactor,
        path=store.path,
        timeout=store.timeout_seconds,
        timezone=store.timezone,
        token_query=store.token_query,
        membership_query=store.membership_query,
        asks_credentials=asks_credentials,
        token_hash=store.token_hash,
        allow_null_expires=store.allow_null_expires,
    )
