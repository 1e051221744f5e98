"""The command ``wampgate``: prepares a new installation's databases and checks a configuration."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wampgate import __version__
from wampgate.config.errors import ConfigurationError
from wampgate.config.loading import load
from wampgate.config.stores import PostgresStore
from wampgate.stores.preparing import (
    PreparationFailed,
    prepare_postgres,
    prepare_sqlite,
    removal_of_triggers,
    statements,
    tables_that_do_not_tell,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.config.model import Configuration
    from wampgate.config.stores import SqliteStore


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 if all went well, 1 if not, 2 for a wrong command line.
    """
    options = _parser().parse_args(arguments)
    try:
        configuration = load(Path(options.config), os.environ)
        if options.command == "check":
            _say(f"{options.config} is valid")
            return 0
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
    check = commands.add_parser("check", help="check a configuration without using it")
    for command in (init, check):
        command.add_argument("--config", "-c", default="router.json", help="the configuration (default: router.json)")
    return parser


def _init(configuration: Configuration, *, show: bool) -> int:
    stores = [(realm.name, realm.store) for realm in configuration.realms if realm.store is not None]
    if not stores:
        _say("no realm has a store: there is nothing to prepare")
    for realm, store in stores:
        if show:
            _show(realm, store)
            continue
        made = prepare_postgres(store.dsn.reveal()) if isinstance(store, PostgresStore) else prepare_sqlite(store.path)
        what = f"created {', '.join(made)}" if made else "everything was there already"
        _say(f"realm {realm}: {what}")
        if isinstance(store, PostgresStore):
            _tell_of_silent_tables(realm, store.dsn.reveal())
    return 0


def _tell_of_silent_tables(realm: str, dsn: str) -> None:
    silent = tables_that_do_not_tell(dsn)
    if silent:
        _say(
            f"realm {realm}: {' and '.join(silent)} will not tell of all changes, as existing tables get no triggers:"
            " revocations are found by asking again. `wampgate init --show` shows the triggers,"
            " docs/postgres.md explains them"
        )


def _show(realm: str, store: PostgresStore | SqliteStore) -> None:
    _say(f"-- realm {realm}")
    is_postgres = isinstance(store, PostgresStore)
    for statement in statements("postgres" if is_postgres else "sqlite"):
        _say(f"-- {statement.explanation}\n{statement.sql};\n")
    if is_postgres:
        removal = removal_of_triggers().replace("\n", "\n-- ")
        _say(f"-- To take the triggers away again:\n-- {removal}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
