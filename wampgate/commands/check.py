"""The command ``wampgate check``: is the configuration valid, and does everything that it leads to answer?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from wampgate.commands.config import loaded
from wampgate.commands.errors import FAILED, OK
from wampgate.commands.output import Column, Output, Table, config_option, output_options
from wampgate.config.outbox import PostgresOutbox
from wampgate.config.stores import PostgresStore, SqliteStore
from wampgate.config.streams import RedisStreamsBridge, stream_of
from wampgate.findings import Finding, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wampgate.config.bridges import RedisBridge
    from wampgate.config.model import Configuration, Realm

_AT_ONCE: Final = 8
"""So many things are looked at at the same time: one that does not answer keeps no other waiting."""

_STYLES: Final = {"well": "green", "notable": "yellow", "faulty": "red"}


class Thing(NamedTuple):
    """Something that a configuration leads to.

    Attributes:
        name: what it is, as the table calls it.
        look: what it is like.
    """

    name: str
    look: Callable[[], Iterable[Finding]]


@click.command("check")
@config_option
@click.option("--offline", is_flag=True, help="Check the file alone: connect to nothing.")
@output_options
def check_command(config: str, *, offline: bool, output: Output) -> int:
    """Check a configuration, and everything that it leads to, with timing.

    All mistakes in the file are named at once. Then its stores are asked for a token that is not there, bridges and
    outboxes are connected to, endpoints, certificates, keys and descriptors looked at. Nothing is changed. Ends with
    1 if anything is faulty; what is only notable, the router can live with.
    """
    configuration = loaded(config)
    output.line(f"{config} is valid")
    rows = [] if offline else _look(list(_things(configuration)), output)
    faulty = sum(row["state"] == "faulty" for row in rows)
    if output.json:
        output.document({"configuration": config, "valid": True, "faulty": faulty, "checks": rows})
    elif rows:
        output.line()
        output.show(_table(rows))
        for row in rows:
            if row["advice"]:
                output.line(f"{row['item']}, {row['what']}: {row['advice']}", _STYLES[row["state"]])
    return FAILED if faulty else OK


def _look(things: list[Thing], output: Output) -> list[dict[str, Any]]:
    """Look at all things, several at a time; the rows in the order of the file."""
    with (
        output.progress("looking", len(things)) as done,
        ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="check") as threads,
    ):
        rows = []
        for thing, findings in zip(things, threads.map(lambda one: list(one.look()), things), strict=True):
            rows += [_row(thing.name, finding) for finding in findings]
            done(1)
    return rows


def _row(item: str, finding: Finding) -> dict[str, Any]:
    return {
        "item": item,
        "what": finding.what,
        "state": finding.state,
        "ms": None if finding.seconds is None else round(finding.seconds * 1000, 1),
        "said": finding.said,
        "advice": finding.advice,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    columns = (
        Column("item", ""),
        Column("what", ""),
        Column("state", style=_STYLES.get),
        Column("ms", right=True),
        Column("said", "found", fold=True),
    )
    return Table(columns, rows)


def _things(configuration: Configuration) -> Iterator[Thing]:
    from wampgate.commands import surroundings  # noqa: PLC0415 - not for --offline

    for realm in configuration.realms:
        yield from _store(realm)
        yield from _bridges(realm)
        ticket = realm.authentication.ticket
        if ticket is not None and ticket.jwt is not None:
            yield Thing(f"realm {realm.name}, jwt", _bind(surroundings.look_at_keys, ticket.jwt))
    for listen in configuration.listen:
        yield Thing(listen.endpoint, _bind(surroundings.look_at_endpoint, listen.endpoint))
        if listen.client_certificates is not None:
            authorities = listen.client_certificates.ca_file
            yield Thing("client_certificates", _bind(surroundings.look_at_authorities, authorities))
    if configuration.admin is not None:
        yield Thing(configuration.admin.endpoint, _bind(surroundings.look_at_endpoint, configuration.admin.endpoint))
    yield Thing("limits", _bind(surroundings.look_at_descriptors, configuration))


def _bind(look: Callable[..., Iterable[Finding]], *arguments: Any) -> Callable[[], Iterable[Finding]]:
    return lambda: look(*arguments)


def _store(realm: Realm) -> Iterator[Thing]:
    store = realm.store
    if store is None:
        return
    from wampgate.composition.stores import parts_of  # noqa: PLC0415 - the database drivers
    from wampgate.stores.looking import Asked, look_at_postgres, look_at_sqlite  # noqa: PLC0415 - as above
    from wampgate.stores.presets import resolve  # noqa: PLC0415 - as above

    name = f"realm {realm.name}, store"
    if isinstance(store, SqliteStore):
        asked = Asked(store.token_query, store.membership_query, None, store.token_hash, store.timezone)
        yield Thing(name, _bind(look_at_sqlite, store.path, asked))
        return
    tokens = resolve(store.preset, store.token_query, store.token_hash)
    asked = Asked(tokens.one, store.membership_query, store.credentials_query, tokens.token_hash, store.timezone)
    yield Thing(name, lambda: _postgres(look_at_postgres, store, asked, parts_of(realm)))


def _postgres(
    look: Callable[..., Iterable[Finding]], store: PostgresStore, asked: Any, parts: Any
) -> Iterable[Finding]:
    own = (store.token_query, store.membership_query, store.credentials_query)
    return look(
        store.dsn.reveal(),
        asked,
        listen_dsn=None if store.listen_dsn is None else store.listen_dsn.reveal(),
        preset=store.preset,
        parts=parts,
        own_tables=not any(own),
    )


def _bridges(realm: Realm) -> Iterator[Thing]:
    for bridge in realm.bridges:
        if isinstance(bridge, PostgresOutbox):
            yield Thing(f"realm {realm.name}, outbox {bridge.name}", _bind(_outbox, bridge))
        else:
            yield Thing(f"realm {realm.name}, bridge {bridge.name}", _bind(_redis, bridge))


def _redis(bridge: RedisBridge | RedisStreamsBridge) -> Iterable[Finding]:
    from wampgate.bridge.looking import look_at_redis  # noqa: PLC0415 - hiredis

    streamed = isinstance(bridge, RedisStreamsBridge)
    keys = [stream_of(rule) for rule in bridge.rules] if isinstance(bridge, RedisStreamsBridge) else []
    return look_at_redis(
        bridge.url.reveal(),
        ca_file=None if bridge.ca_file is None else str(bridge.ca_file),
        streams=[key for key in dict.fromkeys(keys) if "{" not in key],
        state_folder=bridge.state_folder if streamed else None,  # type: ignore[union-attr]  # asked just before
    )


def _outbox(bridge: PostgresOutbox) -> Iterable[Finding]:
    from wampgate.stores.outbox_rights import OutboxUnusable, look_at  # noqa: PLC0415 - psycopg2

    found: list[Finding] = []

    def look() -> str:
        try:
            faults, notes = look_at(bridge.dsn.reveal(), removes=bridge.retention_seconds is not None)
        except (OutboxUnusable, ValueError) as error:
            faults, notes = [str(error)], []
        found.extend(Finding("rights", "faulty", fault) for fault in faults)
        found.extend(Finding("trigger", "notable", note, "`wampgate init` makes it") for note in notes)
        return "ready" if not faults else "can't be used"

    first = timed("tables", look)
    return found if any(one.state == "faulty" for one in found) else [first, *found]
