"""The JSON Schema of router.json, made of the model, so that editors complete it and explain each key.

It knows types, bounds, words to choose from and which keys there are. What a schema can't say (that a query has
its parameter, that two keys fit together) is left to ``wampgate check``.
"""

from __future__ import annotations

import inspect
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate.config.loading import SCHEMA_KEY
from wampgate.config.model import Configuration
from wampgate.config.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE: Final = "router.schema.json"
"""What the schema is called, in this package and beside a router.json."""

_KEY: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}


def schema_of_model() -> dict[str, Any]:
    """The schema, as the model is now."""
    schema = msgspec.json.schema(Configuration, schema_hook=lambda _: {"type": "string"})
    sections = {kind.__name__: kind for kind in _sections(Section)}
    definitions = schema["$defs"]
    for name, definition in definitions.items():
        _describe(definition, sections[name])
    _let_words_be_references(definitions)
    definitions["Reference"] = _REFERENCE | {"description": 'A text with "${NAME}" or "${file:PATH}" in it.'}
    top: dict[str, Any] = definitions.pop(Configuration.__name__)
    own_key = {SCHEMA_KEY: {"type": "string", "description": "This schema, for editors."}}
    return top | {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "wampgate: router.json",
        # Visual Studio Code's words for what the loader takes.
        "allowComments": True,
        "allowTrailingCommas": True,
        "properties": own_key | top["properties"],
        "definitions": definitions,
    }


def text_of_schema() -> str:
    """The schema as the text of a file; always the same for the same model."""
    text = msgspec.json.format(msgspec.json.encode(schema_of_model()), indent=1).decode()
    return text.replace("#/$defs/", "#/definitions/") + "\n"


def kept_text() -> str:
    """The schema as it was checked in and is part of the package."""
    return files("wampgate.config").joinpath(FILE).read_text(encoding="utf-8")


def _sections(kind: type[Section]) -> Iterator[type[Section]]:
    for section in kind.__subclasses__():
        yield section
        yield from _sections(section)


def _describe(definition: dict[str, Any], section: type[Section]) -> None:
    """Put the section's docstring where editors show it: its first paragraph, and each key's part at the key."""
    text = inspect.cleandoc(section.__doc__ or "")
    definition["description"] = _plain(text.partition("\n\n")[0])
    meanings = {key: _plain(meaning) for key, meaning in _KEY.findall(text)}
    for key, value in definition["properties"].items():
        if key in meanings:
            expected = value.pop("description", None) or _expected(value)
            value["description"] = f"{meanings[key]}\n\nExpected: {expected}." if expected else meanings[key]
        if isinstance(value.get("default"), (dict, list)) and value["default"]:
            # A section's own keys have their defaults; a copy of all would only be in the way.
            del value["default"]


def _expected(value: Mapping[str, Any]) -> str | None:
    """What a key that may also be null is expected to be otherwise, taken out of the alternative."""
    found = [
        alternative.pop("description", None) for alternative in value.get("anyOf", ()) if "$ref" not in alternative
    ]
    words = [text for text in found if text]
    return f"{words[0]}, or null" if len(words) == 1 else None


def _let_words_be_references(node: Any) -> None:
    """Beside each choice of words let a reference stand: ``${NAME}`` may name one of them."""
    if isinstance(node, list):
        for element in node:
            _let_words_be_references(element)
    if not isinstance(node, dict):
        return
    for value in node.values():
        _let_words_be_references(value)
    choice = node.get("enum")
    if choice and len(choice) > 1 and all(isinstance(word, str) for word in choice):
        del node["enum"]
        node["anyOf"] = [{"enum": choice}, {"$ref": "#/definitions/Reference"}]


def _plain(text: str) -> str:
    """A docstring's text in one line, as a sentence, without reStructuredText's marks."""
    line = " ".join(text.split()).replace("``", "`")
    return line if line.startswith("router.json") else f"{line[:1].upper()}{line[1:]}"
