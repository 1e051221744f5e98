"""Opens the tables of a realm's store for commands that write into them, or says why they are not wampgate's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from wampgate.commands.config import loaded
from wampgate.commands.errors import CommandFailed, Unreachable
from wampgate.config.stores import PostgresStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.config.model import Realm
    from wampgate.config.stores import SqliteStore
    from wampgate.stores.issuing import Tables


def realm_of(config: str, name: str | None) -> Realm:
    """The realm that is meant: the one that is named, or the only one with a store.

    Raises:
        CommandFailed: the file can't be used, or it is not clear which realm is meant.
    """
    realms = [realm for realm in loaded(config).realms if realm.store is not None]
    if not realms:
        raise CommandFailed(f"{config}: no realm has a store, so there are no tokens and memberships in tables")
    meant = [realm for realm in realms if realm.name == name] if name is not None else realms
    if len(meant) != 1:
        names = ", ".join(realm.name for realm in realms)
        raise CommandFailed(f"{config}: name one of these realms with --realm: {names}")
    return meant[0]


def refuse_foreign_tokens(realm: Realm, doing: str, *, may_be: tuple[str, ...] = ()) -> None:
    """See that the table of tokens is wampgate's own.

    Args:
        realm: the realm.
        doing: what is refused otherwise: ``create``, ``list`` or ``revoke``.
        may_be: presets with the same table as ours, where this can be done all the same.

    Raises:
        CommandFailed: an application's own server makes these tokens.
    """
    store = realm.store
    preset = store.preset if isinstance(store, PostgresStore) else None
    if preset is not None and preset not in may_be:
        raise CommandFailed(
            f"realm {realm.name}: its tokens are those of {preset}: {doing} them there;"
            " what is revoked there ends sessions here at once, if `wampgate init` has put its triggers on the tables"
        )
    if store is not None and store.token_query is not None:
        raise CommandFailed(
            f"realm {realm.name}: its tokens are found by a token_query, in tables of yours: {doing} them there"
        )


def refuse_foreign_members(realm: Realm) -> None:
    """See that the table of memberships is wampgate's own.

    Raises:
        CommandFailed: it is the application's.
    """
    if realm.store is not None and realm.store.membership_query is not None:
        raise CommandFailed(
            f"realm {realm.name}: its memberships come from a membership_query, in tables of yours: change them there"
        )


@contextmanager
def opened(realm: Realm) -> Iterator[Tables]:
    """The tables of a realm's store, in one transaction.

    Raises:
        Unreachable: they can't be read or written.
    """
    from wampgate.stores import issuing  # noqa: PLC0415 - the database drivers
    from wampgate.stores.presets import resolve  # noqa: PLC0415 - as above

    store: PostgresStore | SqliteStore | None = realm.store
    assert store is not None  # noqa: S101 - realm_of() has seen to it
    try:
        if isinstance(store, PostgresStore):
            token_hash = resolve(store.preset, store.token_query, store.token_hash).token_hash
            with issuing.open_postgres(store.dsn.reveal(), token_hash, store.timezone) as tables:
                yield tables
        else:
            with issuing.open_sqlite(store.path, store.token_hash, store.timezone) as tables:
                yield tables
    except issuing.TablesUnusable as error:
        raise Unreachable(str(error)) from None
