"""How commands fail: one line that says what to do, and an exit status that says which kind of failure it was.

    CommandFailed       1  what was asked for was tried and did not succeed
    ├── Unreachable     3  the router, or a database, can't be reached or does not answer
    └── Refused         4  who asks is not known there, or may not do this

A wrong command line ends with 2, as click does it; an interruption (Ctrl-C) with 130.
"""

from __future__ import annotations

import sys
from typing import IO, Any, ClassVar, Final

import click

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
REFUSED: Final = 4
INTERRUPTED: Final = 130


class CommandFailed(click.ClickException):
    """A command did not do what it was asked for.

    Args:
        text: what happened, where, and what to do: one line without a secret, ready for a terminal.
    """

    exit_code: ClassVar[int] = FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the line to standard error, without a word before it."""
        click.echo(self.format_message(), file=sys.stderr if file is None else file)


class Unreachable(CommandFailed):
    """Nobody answered: the router is not there, or its network or database is not."""

    exit_code: ClassVar[int] = UNREACHABLE


class Refused(CommandFailed):
    """There was an answer, and it was no: not known, or not allowed."""

    exit_code: ClassVar[int] = REFUSED
