"""Small pieces of Markdown: tables, and docstrings as they read on a page."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars inside cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def code(value: object) -> str:
    """A value of router.json, as code."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{json.dumps(msgspec.to_builtins(value), ensure_ascii=False)}`"


def prose(text: str) -> str:
    """A docstring's words as Markdown: code in single ticks, names of pages as links."""
    text = re.sub(r"``docs/([\w-]+)\.md``|\bdocs/([\w-]+)\.md\b", _linked, text)
    text = re.sub(r":\w+:`([^`]+)`", r"`\1`", text)
    return text.replace("``", "`")


def _linked(match: re.Match[str]) -> str:
    name = match[1] or match[2]
    return f"[{name}.md](../{name}.md)"


def summary(thing: object) -> str:
    """What a docstring says before its sections."""
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
    return prose(re.split(r"\n\n?(?:Attributes|Args|Returns|Raises):\n", text)[0])


def attributes(thing: object) -> dict[str, str]:
    """What a docstring says of each attribute."""
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
    _, _, listed = text.partition("Attributes:\n")
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return {name: prose(" ".join(words.split())) for name, words in entries}
