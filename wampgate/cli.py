"""The command ``wampgate``: prepares a new installation's databases, checks a configuration, and makes secrets."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wampgate import __version__, secret_command
from wampgate.composition.loops import refuse_loops
from wampgate.composition.stores import parts_of
from wampgate.config.errors import ConfigurationError
from wampgate.config.loading import load
from wampgate.config.outbox import PostgresOutbox
from wampgate.config.stores import PostgresStore
from wampgate.stores.outbox_rights import OutboxUnusable, grants, look_at
from wampgate.stores.preparing import (
    PreparationFailed,
    install,
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

    from wampgate.config.model import Configuration
    from wampgate.config.stores import SqliteStore
    from wampgate.stores.preparing import Part


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 if all went well, 1 if not, 2 for a wrong command line.
    """
    options = _parser().parse_args(arguments)
    if options.command == "secret":
        return secret_command.run(options)
    try:
        configuration = load(Path(options.config), os.environ)
        refuse_loops(options.config, configuration)
        if options.command == "check":
            _say(f"{options.config} is valid")
            return 0 if options.offline else _check_outboxes(configuration)
        return _init(configuration, show=options.show)
    except (ConfigurationError, PreparationFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wampgate", description="Commands around the router; `twistd wampgate` runs it."
    )
    parser.add_argument("--version", action="version", version=f"wampgate {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init = commands.add_parser(
        "init", help="create the tables that the configuration's stores ask, where they are missing"
    )
    init.add_argument("--show", action="store_true", help="show the statements and do nothing")
    check = commands.add_parser("check", help="check a configuration, and the databases of its outboxes")
    check.add_argument("--offline", action="store_true", help="connect to nothing")
    secret = commands.add_parser("secret", help="make what is kept of a password, or a key, for router.json")
    secret_command.add_arguments(secret)
    for command in (init, check):
        command.add_argument("--config", "-c", default="router.json", help="the configuration (default: router.json)")
    return parser


def _init(configuration: Configuration, *, show: bool) -> int:
    stores = [(realm, realm.store) for realm in configuration.realms if realm.store is not None]
    outboxes = list(_outboxes(configuration))
    if not stores and not outboxes:
        _say("no realm has a store: there is nothing to prepare")
    for realm, store in stores:
        if show:
            _show(realm.name, store, parts_of(realm))
            continue
        if isinstance(store, PostgresStore):
            _tell_of_created(realm.name, prepare_postgres(store.dsn.reveal(), store.preset, parts_of(realm)))
            _install_triggers(realm.name, store, parts_of(realm))
        else:
            _tell_of_created(realm.name, prepare_sqlite(store.path))
    for name, outbox in outboxes:
        _init_outbox(name, outbox, show=show)
    return 0


def _outboxes(configuration: Configuration) -> Iterator[tuple[str, PostgresOutbox]]:
    for realm in configuration.realms:
        yield from ((realm.name, bridge) for bridge in realm.bridges if isinstance(bridge, PostgresOutbox))


def _init_outbox(realm: str, outbox: PostgresOutbox, *, show: bool) -> None:
    if show:
        _say(f"-- realm {realm}, outbox {outbox.name}")
        for statement in statements("outbox"):
            _say(f"-- {statement.explanation}\n{statement.sql};\n")
    else:
        _tell_of_created(f"{realm}, outbox {outbox.name}", prepare_outbox(outbox.dsn.reveal()))
    given = grants("wampgate_router", "your_backend").strip()
    if show:
        # The roles are not there yet: what is shown can be run as it stands.
        given = "\n".join(f"-- {line}" if line else "" for line in given.splitlines())
    _say(f"-- Then give the router and your backend what they need, by the names of their roles:\n{given}\n")


def _check_outboxes(configuration: Configuration) -> int:
    """Say of each outbox whether the router could use it; 1 if one can't be used."""
    status = 0
    for realm, outbox in _outboxes(configuration):
        try:
            faults, notes = look_at(outbox.dsn.reveal(), removes=outbox.retention_seconds is not None)
        except OutboxUnusable as error:
            faults, notes = [str(error)], []
        for line in faults or ["ready", *notes]:
            _say(f"realm {realm}, outbox {outbox.name}: {line}")
        status = 1 if faults else status
    return status


def _tell_of_created(realm: str, made: Sequence[str]) -> None:
    what = f"created {', '.join(made)}" if made else "everything was there already"
    _say(f"realm {realm}: {what}")


def _install_triggers(realm: str, store: PostgresStore, parts: Sequence[Part]) -> None:
    """Let the tables of a preset's server tell of changes; say which tables don't."""
    dsn, preset = store.dsn.reveal(), store.preset
    missing = missing_triggers(dsn, preset) if preset is not None else []
    if missing:
        _say(f"realm {realm}: this lets the tables of {preset} tell of changes:\n")
        for statement in missing:
            _say(f"-- {statement.explanation}\n{statement.sql};\n")
        if install(dsn, missing):
            _say(f"realm {realm}: done")
        else:
            _say(
                f"realm {realm}: the role of the dsn lacks the right, so nothing was done:"
                " let the tables' owner run the statements above"
            )
    silent = tables_that_do_not_tell(dsn, preset, parts)
    if silent:
        _say(
            f"realm {realm}: {' and '.join(silent)} will not tell of all changes, as existing tables get no triggers:"
            " revocations are found by asking again. `wampgate init --show` shows the triggers,"
            " docs/postgres.md explains them"
        )


def _show(realm: str, store: PostgresStore | SqliteStore, parts: Sequence[Part]) -> None:
    _say(f"-- realm {realm}")
    shown = statements("postgres", store.preset, parts) if isinstance(store, PostgresStore) else statements("sqlite")
    for statement in shown:
        _say(f"-- {statement.explanation}\n{statement.sql};\n")
    if isinstance(store, PostgresStore):
        removal = removal_of_triggers().replace("\n", "\n-- ")
        _say(f"-- To take the triggers away again:\n-- {removal}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
