"""Arguments of events and calls, as a user types them and sees them: JSON where it is JSON, else the text itself."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import click

from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import visible_json
from wampgate.config.errors import printable, quoted


def value_of(text: str) -> Any:
    """What one argument means: JSON if it is, else the text itself, so that words need no quotes.

    Raises:
        CommandFailed: it holds bytes that are no text.
    """
    try:
        value = _parsed(text)
    except ValueError:
        value = text
    _check(value, "an argument: ")
    return value


def json_of(text: str, source: str = "") -> Any:
    """JSON, and nothing else.

    Args:
        text: the JSON.
        source: where it comes from, for the error.

    Raises:
        CommandFailed: it is none.
    """
    before = f"{printable(source)}: " if source else ""
    try:
        value = _parsed(text)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "NaN, Infinity, or nested too deeply"
        raise CommandFailed(f"{before}expected JSON, got {quoted(text.strip())}: {reason}") from None
    _check(value, before)
    return value


def keywords_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Keyword arguments of ``name=value`` texts.

    Raises:
        click.UsageError: one has no name, or two have the same.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, is_pair, text = pair.partition("=")
        if not is_pair or not name:
            raise click.UsageError(f"--kw takes name=value, got {quoted(pair)}")
        if name in found:
            raise click.UsageError(f"--kw {quoted(name)} is there twice")
        found[name] = value_of(text)
    return found


def content_of(source: str) -> str:
    """The content of ``@FILE``, of standard input (``-``), or the text itself.

    Raises:
        CommandFailed: it can't be read.
    """
    if source == "-":
        return sys.stdin.read()
    if not source.startswith("@"):
        return source
    try:
        with open(source[1:], encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "it is no UTF-8"
        raise CommandFailed(f"{printable(source[1:])}: can't be read: {reason}") from None


def shown(value: Any) -> str:
    """JSON in one line, as it can be written to any terminal: what is no visible character is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text if text.isprintable() else visible_json(text)


def payload_shown(args: list[Any] | tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """A payload in one line: one argument by itself, several as a list, then the keyword arguments as an object."""
    if not args:
        return shown(kwargs) if kwargs else ""
    first = shown(args[0]) if len(args) == 1 else shown(list(args))
    return f"{first} {shown(kwargs)}" if kwargs else first


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refused)


def _refused(constant: str) -> NoReturn:
    raise ValueError(constant)


def _check(value: Any, before: str) -> None:
    """See that a value can go over the wire: JSON may name halves of characters, and UTF-8 has none.

    Raises:
        CommandFailed: it can't.
    """
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise CommandFailed(f"{before}it holds half a character (a lone surrogate), which is no text") from None
    except ValueError:
        raise CommandFailed(f"{before}it holds a number beyond what there is, such as 1e999") from None
