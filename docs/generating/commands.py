"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from docs.generating.markdown import prose, table
from wampgate.commands import errors
from wampgate.commands.app import reference

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGINNING: Final = """# Commands

Every command with its options, as `wampgate COMMAND --help` shows them. [commands.md](../commands.md) tells how
they are used together.
"""
STATUSES: Final = (
    (errors.OK, "all went well"),
    (errors.FAILED, "what was asked for was tried and did not succeed"),
    (errors.USAGE, "the command line is wrong"),
    (errors.UNREACHABLE, "the router, or a database, can't be reached or does not answer"),
    (errors.REFUSED, "who asks is not known there, or may not do this"),
    (errors.INTERRUPTED, "it was interrupted (Ctrl-C)"),
)

KEPT: Final = "\b\n"


def page() -> str:
    """The page."""
    rows = [[f"`{status}`", meaning] for status, meaning in STATUSES]
    parts = [BEGINNING, f"## Exit status\n\n{table(('status', 'meaning'), rows)}"]
    return "\n".join([*parts, *(_command(command) for command in reference())])


def _command(command: dict[str, Any]) -> str:
    usage = f"`{command['usage']}`"
    paragraphs = map(_paragraph, re.split(r"\n\s*\n", command["help"]))
    options = table(("option", "", "default"), _options(command)) if command["options"] else ""
    return "\n\n".join(filter(None, [f"## wampgate {command['name']}", usage, *paragraphs, options])) + "\n"


def _paragraph(text: str) -> str:
    """One of a help's; click keeps the lines of one that begins with a backspace, and so does the page."""
    if text.startswith(KEPT):
        return f"```text\n{text.removeprefix(KEPT).strip()}\n```"
    return prose(" ".join(text.split()))


def _options(command: dict[str, Any]) -> Iterator[list[str]]:
    for option in command["options"]:
        metavar = f" {option['metavar']}" if option["metavar"] else ""
        default = "must be given" if option["required"] else ""
        if option["default"] is not None:
            default = f"`{option['default']}`"
        names = ", ".join(f"`{name}{metavar}`" for name in option["names"])
        yield [names, prose(option["help"]), default]
