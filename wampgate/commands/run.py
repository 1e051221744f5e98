"""The command ``wampgate run``: the router in the foreground, in this process, as ``twistd -n wampgate`` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import click

from wampgate.twistd import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

_TYPES: Final = {int: click.INT, float: click.FLOAT}


def _options() -> list[click.Option]:
    """The options of ``twistd wampgate``, so that both always understand the same."""
    named = [_named(*parameter) for parameter in cast("Sequence[Sequence[Any]]", Options.optParameters)]
    flags = [
        click.Option([f"--{name}", *([f"-{short}"] if short else [])], is_flag=True, help=text)
        for name, short, text in cast("Sequence[Sequence[Any]]", Options.optFlags)
    ]
    return [*named, *flags]


def _named(name: str, short: str | None, default: Any, text: str, kind: Any = None) -> click.Option:
    names = [f"--{name}", *([f"-{short}"] if short else [])]
    return click.Option(
        names, default=default, show_default=default is not None, help=text, type=_TYPES.get(kind, click.STRING)
    )


def _run(**options: Any) -> None:
    # What is loaded here installs the reactor.
    from twisted.scripts import twistd  # noqa: PLC0415

    arguments = []
    for name, value in options.items():
        # Not by equality: a port may be 0.
        if value is not None and value is not False:
            arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    daemon: Any = twistd
    configuration = daemon.ServerOptions()
    # Who watches over a process in the foreground knows its id.
    configuration.parseOptions(["--nodaemon", "--pidfile=", "wampgate", *arguments])
    daemon.runApp(configuration)


run_command: Final = click.Command(
    "run",
    callback=_run,
    params=list(_options()),
    help=(
        "Run the router in the foreground, as `twistd -n wampgate` does.\n\n"
        "Logs go to standard output. Ctrl-C or SIGTERM ends it. For a daemon with log and pid file use twistd itself."
    ),
    short_help="Run the router in the foreground, as `twistd -n wampgate` does.",
)
