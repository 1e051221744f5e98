"""The command ``wampgate``: finds its subcommands by name and loads only the one that is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from wampgate import __version__
from wampgate.commands.errors import FAILED, INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click.shell_completion import CompletionItem


class Place(NamedTuple):
    """Where a subcommand is.

    Attributes:
        module: its module; it holds the command under the same name as here, with ``_command`` behind.
        help: its first line of help, here too so that ``wampgate --help`` need not load it; a test compares them.
    """

    module: str
    help: str


SECTIONS: Final[dict[str, dict[str, Place]]] = {
    "Set up": {
        "init": Place("init", "Write a start configuration; create the tables and triggers that one asks."),
        "check": Place("check", "Check a configuration, and everything that it leads to, with timing."),
        "run": Place("run", "Run the router in the foreground, as `twistd -n wampgate` does."),
        "config": Place("config", "Show the configuration, or the JSON Schema by which editors complete it."),
        "bench": Place("bench", "Measure in ten seconds what this machine can do."),
        "completion": Place("completion", "Print the script that lets a shell complete commands and options."),
    },
    "People and secrets": {
        "token": Place("token", "Create, list and revoke tokens in wampgate's own tables."),
        "member": Place("member", "Add, list and remove members of organizations in wampgate's own tables."),
        "secret": Place("secret", "Make what is kept of a password, or a key, for router.json."),
    },
    "A running router": {
        "publish": Place("publish", "Publish an event and print the publication's id."),
        "call": Place("call", "Call a procedure and print its result."),
        "tail": Place("tail", "Show events as they come."),
        "subscribe": Place("tail", "Show events as they come; the same as `tail`."),
        "sessions": Place("sessions", "List the sessions of a realm."),
        "top": Place("top", "Watch a running router: state, sessions, rates, queues, bridges."),
        "explain": Place("explain", "Say why a user may do something, or may not."),
        "kick": Place("kick", "End sessions, and say how many there were."),
        "status": Place("status", "Say whether a running router is ready, and why not."),
        "refusals": Place("refusals", "List what a running router refused last, newest first, and what decided that."),
        "reload": Place("reload", "Have a running router take its changed router.json."),
        "log": Place("log", "Show and set at which levels the parts of a running router log."),
        "audit": Place("audit", "List the last entries of a running router's audit log."),
        "usage": Place("usage", "Show what organizations used of a running router: connections, deliveries."),
    },
}
"""All subcommands, as the help lists them."""

PLACE_BY_NAME: Final = {name: place for section in SECTIONS.values() for name, place in section.items()}


class LazyGroup(click.Group):
    """A group whose commands are modules of this package, loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names, sorted as in the help."""
        return list(PLACE_BY_NAME)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """A command by its name; None if there is none."""
        place = PLACE_BY_NAME.get(cmd_name)
        return None if place is None else load(place)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a word about what may have been meant."""
        name = args[0]
        if name in PLACE_BY_NAME or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches  # noqa: PLC0415 - only after a mistake

        near = get_close_matches(name, PLACE_BY_NAME, n=1)
        ctx.fail(f"No such command {name!r}; did you mean {near[0]}?" if near else f"No such command {name!r}.")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names that begin so, from the table above: a shell must not wait for all commands to be loaded."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only while a shell completes

        names = [CompletionItem(name, help=place.help) for name, place in PLACE_BY_NAME.items()]
        found = [item for item in names if item.value.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The commands in their sections, from the table above: none is loaded."""
        width = max(map(len, PLACE_BY_NAME))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{width}}", place.help) for name, place in section.items()])


def load(place: Place) -> click.Command:
    """A subcommand, loaded."""
    command: click.Command = getattr(import_module(f"wampgate.commands.{place.module}"), f"{place.module}_command")
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100})
@click.version_option(__version__, prog_name="wampgate", message="%(prog)s %(version)s")
def wampgate_command() -> None:
    """A WAMP router: live news for the members of an organization.

    Each command has its own --help; docs/commands.md tells the whole.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what stands behind ``wampgate``; None for the process's own.

    Returns:
        The exit status: 0 if all went well; else as ``errors.py`` lists them.
    """
    try:
        status = wampgate_command.main(
            None if arguments is None else list(arguments), prog_name="wampgate", standalone_mode=False
        )
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        click.echo(_in_one_line(error), err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough (`| head`). Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status if isinstance(status, int) else 0


def _in_one_line(error: click.UsageError) -> str:
    """What is wrong with a command line, and where the right one stands."""
    path = "wampgate" if error.ctx is None else error.ctx.command_path
    text = " ".join(error.format_message().split())
    return f"{text} Try: {path} --help" if text.endswith((".", "?")) else f"{text}. Try: {path} --help"


def commands() -> Iterator[tuple[str, click.Command]]:
    """All commands with their full names, subcommands after their group; loads them all."""
    for name, place in PLACE_BY_NAME.items():
        yield from _with_subcommands(name, load(place))


def _with_subcommands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner, subcommand in command.commands.items():
            yield from _with_subcommands(f"{name} {inner}", subcommand)


def reference() -> list[dict[str, Any]]:
    """All commands for the documentation, those of groups after their group.

    Each is ``{name, usage, short, help, arguments: [text], options}``, each of the options
    ``{names: [text], metavar, help, default, required}``. A paragraph of the help that begins with a line
    of a backspace alone keeps its lines, as click's own help does.
    """
    return [_described(name, command) for name, command in commands()]


def _described(name: str, command: click.Command) -> dict[str, Any]:
    context = click.Context(command, info_name=f"wampgate {name}")
    return {
        "name": name,
        "usage": command.get_usage(context).removeprefix("Usage: "),
        "short": command.get_short_help_str(limit=200),
        "help": cleandoc(command.help or ""),
        "arguments": [
            parameter.make_metavar(context) for parameter in command.params if isinstance(parameter, click.Argument)
        ],
        "options": [
            _option(parameter, context)
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.hidden
        ],
    }


def _option(option: click.Option, context: click.Context) -> dict[str, Any]:
    default = option.get_default(context, call=False)
    shown = isinstance(default, (str, int, float)) and not isinstance(default, bool)
    return {
        "names": [*option.opts, *option.secondary_opts],
        "metavar": None if option.is_flag else option.make_metavar(context),
        "help": option.help or "",
        "default": default if shown else None,
        "required": option.required,
    }
