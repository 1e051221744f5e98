"""What ``wampgate init`` does with the databases of a configuration: looks, shows statements, creates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wampgate.composition.stores import parts_of
from wampgate.config.outbox import PostgresOutbox
from wampgate.config.stores import PostgresStore, SqliteStore
from wampgate.stores.outbox_rights import grants
from wampgate.stores.preparing import (
    install,
    missing_in_postgres,
    missing_in_sqlite,
    missing_triggers,
    prepare_outbox,
    prepare_postgres,
    prepare_sqlite,
    removal_of_triggers,
    statements,
    tables_that_do_not_tell,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.commands.output import Output
    from wampgate.config.model import Configuration, Realm
    from wampgate.stores.preparing import Part, Statement


@dataclass(frozen=True, slots=True)
class Database:
    """A store or an outbox whose tables can be made.

    Attributes:
        realm: the realm's name.
        section: its section in router.json.
        parts: which tables a store needs beside those of tokens and memberships.
    """

    realm: str
    section: PostgresStore | SqliteStore | PostgresOutbox
    parts: Sequence[Part] = ()

    @property
    def name(self) -> str:
        """How lines call it."""
        outbox = f", outbox {self.section.name}" if isinstance(self.section, PostgresOutbox) else ""
        return f"realm {self.realm}{outbox}"


@dataclass(slots=True)
class Done:
    """What was done to a database, for programs.

    Attributes:
        realm: the realm's name.
        outbox: the outbox's; None for a store.
        created: the tables, indexes, functions and triggers that were created.
        silent: tables that won't tell of all changes.
    """

    realm: str
    outbox: str | None = None
    created: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


def databases_of(configuration: Configuration) -> list[Database]:
    """All databases that a configuration names: the stores, then the outboxes."""
    stores = [
        Database(realm.name, realm.store, parts_of(realm)) for realm in configuration.realms if realm.store is not None
    ]
    return [*stores, *(outbox for realm in configuration.realms for outbox in _outboxes(realm))]


def missing(database: Database) -> list[str]:
    """What would be created in a database.

    Raises:
        PreparationFailed: it can't be looked at.
    """
    section = database.section
    if isinstance(section, SqliteStore):
        return missing_in_sqlite(section.path)
    if isinstance(section, PostgresOutbox):
        return missing_in_postgres(section.dsn.reveal(), "outbox")
    dsn = section.dsn.reveal()
    triggers = [] if section.preset is None else missing_triggers(dsn, section.preset)
    named = [f"{one.name} on {one.table}" if one.table else one.name for one in triggers]
    return [*missing_in_postgres(dsn, "postgres", section.preset, database.parts), *named]


def show(output: Output, database: Database) -> None:
    """Print the statements, each with its explanation, so that they can be run as they stand."""
    section = database.section
    output.line(f"-- {database.name}")
    if isinstance(section, PostgresOutbox):
        _print(output, statements("outbox"))
        _print_grants(output, commented=True)
        return
    if isinstance(section, SqliteStore):
        _print(output, statements("sqlite"))
        return
    _print(output, statements("postgres", section.preset, database.parts))
    removal = removal_of_triggers().replace("\n", "\n-- ")
    output.line(f"-- To take the triggers away again:\n-- {removal}\n")


def create(output: Output, database: Database) -> Done:
    """Create what is missing, and say what that was.

    Raises:
        PreparationFailed: it can't be done; says why.
    """
    section = database.section
    done = Done(database.realm, section.name if isinstance(section, PostgresOutbox) else None)
    if isinstance(section, SqliteStore):
        done.created = prepare_sqlite(section.path)
    elif isinstance(section, PostgresOutbox):
        done.created = prepare_outbox(section.dsn.reveal())
    else:
        done.created = prepare_postgres(section.dsn.reveal(), section.preset, database.parts)
    made = f"created {', '.join(done.created)}" if done.created else "everything was there already"
    output.line(f"{database.name}: {made}")
    if isinstance(section, PostgresOutbox):
        _print_grants(output)
    elif isinstance(section, PostgresStore):
        done.created += _install_triggers(output, database.realm, section)
        done.silent = _tell_of_silence(output, database.realm, section, database.parts)
    return done


def _outboxes(realm: Realm) -> Iterator[Database]:
    return (Database(realm.name, bridge) for bridge in realm.bridges if isinstance(bridge, PostgresOutbox))


def _install_triggers(output: Output, realm: str, store: PostgresStore) -> list[str]:
    """Let the tables of a preset's server tell of changes; what was installed."""
    wanted = missing_triggers(store.dsn.reveal(), store.preset) if store.preset is not None else []
    if not wanted:
        return []
    output.line(f"realm {realm}: this lets the tables of {store.preset} tell of changes:\n")
    _print(output, wanted)
    if not install(store.dsn.reveal(), wanted):
        output.line(
            f"realm {realm}: the role of the dsn lacks the right, so nothing was done:"
            " let the tables' owner run the statements above"
        )
        return []
    output.line(f"realm {realm}: done")
    return [one.name for one in wanted]


def _tell_of_silence(output: Output, realm: str, store: PostgresStore, parts: Sequence[Part]) -> list[str]:
    """Say which tables won't tell of changes."""
    silent = tables_that_do_not_tell(store.dsn.reveal(), store.preset, parts)
    if silent:
        output.line(
            f"realm {realm}: {' and '.join(silent)} will not tell of all changes, as existing tables get no triggers:"
            " revocations are found by asking again. `wampgate init --show` shows the triggers,"
            " docs/postgres.md explains them"
        )
    return silent


def _print(output: Output, shown: Sequence[Statement]) -> None:
    for statement in shown:
        output.line(f"-- {statement.explanation}\n{statement.sql};\n")


def _print_grants(output: Output, *, commented: bool = False) -> None:
    given = grants("wampgate_router", "your_backend").strip()
    if commented:
        # The roles are not there yet: what is shown can be run as it stands.
        given = "\n".join(f"-- {line}" if line else "" for line in given.splitlines())
    output.line(f"-- Then give the router and your backend what they need, by the names of their roles:\n{given}\n")


def as_document(done: Sequence[Done]) -> list[dict[str, Any]]:
    """What was done, for programs."""
    return [
        {"realm": one.realm, "outbox": one.outbox, "created": one.created, "does_not_tell": one.silent} for one in done
    ]
