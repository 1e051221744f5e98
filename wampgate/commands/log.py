"""The command ``wampgate log``: shows and sets the levels at which the parts of a running router log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.output import Record, output_options

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output


@click.group("log")
def log_command() -> None:
    """Show and set at which levels the parts of a running router log."""


@log_command.command("levels")
@connection_options()
@output_options
def levels_command(*, where: Where, output: Output) -> None:
    """Show the level of each part."""
    answer = _ask(where, output, "wampgate.log.levels")
    levels = answer.kwargs or (answer.args[0] if answer.args else {})
    output.show(Record(levels if isinstance(levels, dict) else {"levels": levels}), document=levels)


@log_command.command("level")
@click.argument("part")
@click.argument("level", type=click.Choice(["debug", "info", "warn", "error", "critical"]))
@connection_options()
@output_options
def level_command(*, part: str, level: str, where: Where, output: Output) -> None:
    """Set the level of one part, until the router ends or is reloaded.

    \b
    wampgate log level bridges debug
    """  # noqa: D301 - click takes this character for: keep these lines
    answer = _ask(where, output, "wampgate.log.set_level", part, level)
    output.show(f"{part} logs from {level} on", document=answer.kwargs or {"part": part, "level": level})


def _ask(where: Where, output: Output, procedure: str, *args: Any) -> Answer:
    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - what imports Autobahn comes last

    async def work(session: CommandSession) -> Answer:
        return await asked(session, procedure, *args)

    return speak(where, output, work)
