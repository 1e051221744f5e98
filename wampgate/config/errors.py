"""What is wrong with a configuration: every fault with its place, all told at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from wampgate.core.errors import WampgateError

if TYPE_CHECKING:
    from collections.abc import Sequence

KeyPath: TypeAlias = tuple[str | int, ...]
"""The way from the top of the file to a value: keys of objects and indexes of lists."""

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault.

    Attributes:
        at: the faulty value's place; empty for the file as a whole.
        text: what was expected and what was found, in one line and without a secret.
    """

    at: KeyPath
    text: str

    def __str__(self) -> str:
        return f"{dotted(self.at)}: {self.text}" if self.at else self.text


class ConfigurationError(WampgateError):
    """A configuration can't be used. Its text has one line per problem, each beginning with the file's name.

    Attributes:
        source: the file's name as it was given.
        problems: every fault found, in the file's order.
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{printable(source)}: {problem}" for problem in problems))
        self.source = source
        self.problems = tuple(problems)


def dotted(path: KeyPath) -> str:
    """A key path as one writes it: ``realms[0].store.dsn``."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.replace("$", "_").isidentifier() and key.isascii():
            text += f".{key}" if text else key
        else:
            text += f"[{quoted(key)}]"
    return text


def printable(text: str) -> str:
    """A text in which everything that could move a cursor or forge a line is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(text: str) -> str:
    """A text between quotation marks, escaped, and cut where it would fill the line."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return '"' + printable(shown.replace("\\", "\\\\").replace('"', '\\"')) + '"'
