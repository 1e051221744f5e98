"""router.json from the disk: found, decoded, and read with all its faults named at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NoReturn

from wampgate.config.comments import without_comments
from wampgate.config.errors import ConfigurationError, Problem
from wampgate.config.reading import JsonObject, read
from wampgate.config.references import References

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wampgate.config.model import Configuration


SCHEMA_KEY: Final = "$schema"
"""At the top it names a JSON Schema for editors; it means nothing to the router."""


def load(path: Path, environ: Mapping[str, str]) -> Configuration:
    """Load a configuration file: JSON, in which ``//`` and ``/* */`` comments and trailing commas may stand.

    Args:
        path: the file. Relative paths in it (``${file:…}``, a store's ``path``,
            a bridge's ``ca_file``) start from its folder.
        environ: the variables that ``${NAME}`` names.

    Raises:
        ConfigurationError: with one line for each fault, none of them telling a secret.
    """
    document = _decoded(_text(path), path)
    configuration, problems = read(document, References(environ, path.absolute().parent))
    if configuration is None:
        raise ConfigurationError(str(path), problems)
    return configuration


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _unusable(path, "no such file; name another with --config, or let `wampgate init` write one") from None
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "not a legal path"
        raise _unusable(path, f"can't be read: {reason}; name another with --config") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(path, f"line {line}: expected UTF-8, got other bytes") from None


def _decoded(text: str, path: Path) -> object:
    try:
        document = json.loads(without_comments(text), object_pairs_hook=JsonObject, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        comment = "; comments are written // or /* */" if text[error.pos : error.pos + 1] in ("/", "#") else ""
        place = f"line {error.lineno}, column {error.colno}"
        raise _unusable(path, f"{place}: expected JSON, got: {error.msg}{comment}") from None
    except RecursionError:
        raise _unusable(path, "expected JSON, got objects or lists nested too deeply") from None
    except ValueError:
        raise _unusable(path, "expected JSON, got NaN, Infinity or a number of thousands of digits") from None
    if isinstance(document, dict) and isinstance(document.get(SCHEMA_KEY), str):
        del document[SCHEMA_KEY]
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unusable(path: Path, text: str) -> ConfigurationError:
    return ConfigurationError(str(path), [Problem((), text)])
