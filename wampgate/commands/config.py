"""The command ``wampgate config``: what holds, without secrets, and the JSON Schema for editors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import config_option, json_anyway

if TYPE_CHECKING:
    from wampgate.config.model import Configuration


def loaded(path: str) -> Configuration:
    """A configuration that could be run, as far as can be told without connecting to anything.

    Raises:
        CommandFailed: it can't be used; one line for each fault.
    """
    from wampgate.composition.loops import refuse_loops  # noqa: PLC0415 - the help need not load it
    from wampgate.config.errors import ConfigurationError  # noqa: PLC0415 - as above
    from wampgate.config.loading import load  # noqa: PLC0415 - as above

    try:
        configuration = load(Path(path), os.environ)
        refuse_loops(path, configuration)
    except ConfigurationError as error:
        raise CommandFailed(str(error)) from None
    return configuration


@click.group("config")
def config_command() -> None:
    """Show the configuration, or the JSON Schema by which editors complete it."""


@config_command.command("schema")
@json_anyway
def _schema() -> None:
    """Print the JSON Schema of router.json.

    Beside a router.json that begins with `"$schema": "./router.schema.json"`, editors such as Visual Studio Code
    complete its keys, explain them and underline mistakes.
    """
    from wampgate.config.schema import text_of_schema  # noqa: PLC0415 - loads the whole model

    click.echo(text_of_schema(), nl=False)


@config_command.command("show")
@json_anyway
@config_option
def _show(config: str) -> None:
    """Print what holds, defaults included, secrets hidden.

    Texts that come from the environment or from files are shown as the file names them.
    """
    import msgspec  # noqa: PLC0415 - as above

    from wampgate.config.section import redacted  # noqa: PLC0415 - as above

    encoded = msgspec.json.encode(redacted(loaded(config)), enc_hook=str)
    click.echo(msgspec.json.format(encoded, indent=2))
