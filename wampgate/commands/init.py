"""The command ``wampgate init``: writes a commented start configuration, and makes the tables and triggers it asks."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from wampgate.commands.config import loaded
from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import Output, config_option, output_options
from wampgate.commands.start_configuration import ADMIN_ENDPOINT, ENDPOINT, Start, text_of
from wampgate.config.stores import PRESETS_OF_JTI
from wampgate.config.values import Preset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.commands.databases import Database
    from wampgate.config.model import Configuration

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_]\w*|file:[^}]+)\}")
_PRESETS: Final = [name for name in get_args(Preset) if name not in PRESETS_OF_JTI]


def _reference(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A reference, since what it leads to holds a password: neither the file nor the process listing may have that."""
    if value is None or _VARIABLE.fullmatch(value):
        return value
    raise click.BadParameter(
        "write '${NAME}' for an environment variable or '${file:PATH}' for a file, so that no password is kept here",
        param=parameter,
    )


@click.command("init")
@config_option
@click.option("--store", type=click.Choice(["sqlite", "postgres"]), help="For a new file: where tokens are. [sqlite]")
@click.option("--dsn", callback=_reference, metavar="REFERENCE", help="Where Postgres is. ['${WAMPGATE_POSTGRES_DSN}']")
@click.option("--preset", type=click.Choice(_PRESETS), help="Whose tables hold the tokens in Postgres. [wampgate's]")
@click.option(
    "--redis",
    is_flag=False,
    flag_value="${WAMPGATE_REDIS_URL}",
    callback=_reference,
    metavar="[REFERENCE]",
    help="Take events from a Redis. ['${WAMPGATE_REDIS_URL}']",
)
@click.option("--realm", default="realm1", show_default=True, help="The realm's name.")
@click.option("--endpoint", default=ENDPOINT, show_default=True, help="Where to listen.")
@click.option("--admin-endpoint", default=ADMIN_ENDPOINT, show_default=True, help="Where operators look.")
@click.option(
    "--tokens",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the tickets of operator and backend into a new file, private to you, instead of printing them.",
)
@click.option("--show", is_flag=True, help="Show the file or the statements, and do nothing.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@output_options
def init_command(config: str, *, show: bool, yes: bool, output: Output, **choices: Any) -> None:
    """Write a start configuration; create the tables and triggers that one asks.

    Where there is no file yet, a commented one is written, with a principal for operators and one for your backend.
    Where there is one, it stays as it is. Then the tables are created that its stores and outboxes ask and that are
    missing. At a terminal you are shown first what will be done, and asked. Nothing is ever overwritten.
    """
    path = Path(config)
    asks = not yes and not show and not output.json and sys.stdin.isatty() and sys.stderr.isatty()
    document: dict[str, Any] = {"configuration": str(path), "written": [], "tickets": {}, "databases": []}
    if not path.exists():
        if not (asks or yes or show):
            raise CommandFailed(
                f"{path}: no such file; `wampgate init --yes` writes one, or name another with --config"
            )
        if not _write_start(path, choices, output, document, asks=asks, show=show):
            return
    if not show or path.exists():
        _prepare(path, output, document, asks=asks, show=show)
    if output.json and not show:
        output.document(document)


def _write_start(
    path: Path, choices: dict[str, Any], output: Output, document: dict[str, Any], *, asks: bool, show: bool
) -> bool:
    """Write a new configuration with what belongs to it; whether it was wanted."""
    from wampgate.config.schema import FILE, kept_text  # noqa: PLC0415 - loads the whole model

    tokens: Path | None = choices.pop("tokens")
    start = _start(choices, asks=asks)
    text = text_of(start, FILE)
    if show:
        click.echo(text, nl=False)
        return True
    schema = path.parent / FILE
    output.note(
        f"will write {path}: a start configuration with {'Postgres' if start.dsn else f'SQLite in {start.path}'}"
    )
    if not schema.exists():
        output.note(f"will write {schema}: by which editors complete it")
    if tokens is not None:
        output.note(f"will write {tokens}: the tickets of operator and backend")
    if asks and not click.confirm("Write?", default=True, err=True):
        return False
    if tokens is not None:
        _write(tokens, json.dumps(start.tickets, indent=2) + "\n", private=True)
    _write(path, text)
    document["written"] = [str(path)]
    if not schema.exists():
        _write(schema, kept_text())
        document["written"].append(str(schema))
    output.line(f"wrote {', '.join(document['written'])}")
    _tell_of_tickets(output, start, tokens, document)
    return True


def _start(choices: dict[str, Any], *, asks: bool) -> Start:
    """What the new file is to hold, by the options and by what is answered.

    Raises:
        click.UsageError: the options contradict one another.
    """
    store = choices["store"] or ("postgres" if choices["dsn"] or choices["preset"] else None)
    if store == "sqlite" and (choices["dsn"] or choices["preset"]):
        raise click.UsageError("--dsn and --preset are for --store postgres.")
    redis = choices["redis"]
    if store is None and asks:
        store = click.prompt("Store", type=click.Choice(["sqlite", "postgres"]), default="sqlite", err=True)
        if redis is None and click.confirm("Take events from a Redis?", default=False, err=True):
            redis = "${WAMPGATE_REDIS_URL}"
    return Start(
        realm=choices["realm"],
        endpoint=choices["endpoint"],
        admin=choices["admin_endpoint"],
        dsn=(choices["dsn"] or "${WAMPGATE_POSTGRES_DSN}") if store == "postgres" else None,
        preset=choices["preset"],
        redis=redis,
    )


def _tell_of_tickets(output: Output, start: Start, tokens: Path | None, document: dict[str, Any]) -> None:
    if tokens is not None:
        document["written"].append(str(tokens))
        output.line(f"wrote {tokens}: the tickets of operator and backend, readable by you alone")
        return
    document["tickets"] = start.tickets
    output.line("\nThe tickets, shown this once; the file holds only their SHA-256:\n")
    for name, ticket in start.tickets.items():
        output.line(f"  {name:<8}  {ticket}")
    output.line()


def _write(path: Path, text: str, *, private: bool = False) -> None:
    """Write a new file; one that is there stays as it is.

    Raises:
        CommandFailed: it is there, or can't be written.
    """
    if path.exists():
        raise CommandFailed(f"{path} is there already and is left as it is: name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandFailed(f"{path} can't be written: {error.strerror}") from None


def _prepare(path: Path, output: Output, document: dict[str, Any], *, asks: bool, show: bool) -> None:
    """Create what is missing in the databases, or show it."""
    lacking = _unset(path) if document["written"] else []
    if lacking:
        output.line(f"next: set {' and '.join(lacking)}, then run `wampgate init` again: it makes the tables")
        return
    from wampgate.commands import databases  # noqa: PLC0415 - the database drivers

    configuration = loaded(str(path))
    found = databases.databases_of(configuration)
    if not found:
        output.line("no realm has a store: there is nothing to prepare")
    if show:
        for database in found:
            databases.show(output, database)
        return
    if asks and not _agreed(found, output):
        return
    document["databases"] = databases.as_document([_attempt(databases.create, output, one) for one in found])
    if document["written"]:
        _tell_what_next(output, configuration, path)


def _agreed(found: Sequence[Database], output: Output) -> bool:
    """Show what would be created and ask whether to; yes where that is nothing."""
    from wampgate.commands.databases import missing  # noqa: PLC0415 - as above

    wanted = [(database, _attempt(missing, database)) for database in found]
    for database, names in wanted:
        if names:
            output.note(f"{database.name}: will create {', '.join(names)}")
    return not any(names for _, names in wanted) or click.confirm("Create?", default=True, err=True)


def _attempt(function: Any, *arguments: Any) -> Any:
    """What a function on a database returns; its failure as that of the command."""
    from wampgate.stores.preparing import PreparationFailed  # noqa: PLC0415 - as above

    try:
        return function(*arguments)
    except (PreparationFailed, ValueError) as error:
        raise CommandFailed(str(error)) from None


def _unset(path: Path) -> list[str]:
    """The environment variables that a file of ours names and that are not set."""
    names = [name for name in _VARIABLE.findall(path.read_text(encoding="utf-8")) if not name.startswith("file:")]
    return [name for name in dict.fromkeys(names) if name not in os.environ]


def _tell_what_next(output: Output, configuration: Configuration, path: Path) -> None:
    option = "" if path == Path("router.json") else f" -c {path}"
    realm = configuration.realms[0]
    output.line("next:")
    with suppress(AttributeError):
        if getattr(realm.store, "preset", None) is None:
            output.line(f"  wampgate token create --user alice{option}          a token for a user")
            output.line(f"  wampgate member add --user alice --organization 7{option}")
    output.line(f"  wampgate check{option}")
    output.line(f"  wampgate run{option}")
