"""The JSON Schema of router.json: as the model is, with a word at every key, and of one mind with the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it ships no types

from wampgate.config.comments import without_comments
from wampgate.config.schema import kept_text, schema_of_model, text_of_schema

if TYPE_CHECKING:
    from collections.abc import Callable

TOP = Path(__file__).parents[3]
EXAMPLES = [TOP / "router.json", *sorted((TOP / "examples").rglob("router*.json"))]
EXAMPLES = [path for path in EXAMPLES if "node_modules" not in path.parts and not path.name.endswith(".schema.json")]
ANONYMOUS: dict[str, Any] = {"name": "realm1", "authentication": {"anonymous": {}}}


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    schema = json.loads(kept_text())
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def test_what_was_checked_in_is_what_the_model_says() -> None:
    assert kept_text() == text_of_schema(), "python -m wampgate config schema > wampgate/config/router.schema.json"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(TOP)))
def test_every_example_is_valid(path: Path, validator: Draft7Validator) -> None:
    found = [error.message for error in validator.iter_errors(json.loads(without_comments(path.read_text())))]
    assert found == []


def test_a_full_document_is_valid(document: dict[str, Any], validator: Draft7Validator) -> None:
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    ("faulty", "at"),
    [
        ({}, ""),
        ({"realms": []}, "realms"),
        ({"realms": [ANONYMOUS], "lisen": []}, ""),
        ({"realms": [ANONYMOUS | {"store": {"type": "mysql"}}]}, "realms.0.store"),
        ({"realms": [ANONYMOUS | {"store": {"type": "postgres"}}]}, "realms.0.store"),
        ({"realms": [ANONYMOUS], "limits": {"connections": 0}}, "limits.connections"),
        ({"realms": [ANONYMOUS], "limits": {"connections": "many"}}, "limits.connections"),
        ({"realms": [ANONYMOUS], "goodbye": "sometimes"}, "goodbye"),
        ({"realms": [ANONYMOUS | {"name": None}]}, "realms.0.name"),
        ({"realms": [ANONYMOUS | {"bridges": [{"type": "redis", "rules": [{}]}]}]}, "realms.0.bridges.0"),
    ],
)  # fmt: skip
def test_faulty_ones_are_not(
    faulty: dict[str, Any], at: str, validator: Draft7Validator, faults: Callable[[Any], list[str]]
) -> None:
    assert at in {".".join(map(str, error.absolute_path)) for error in validator.iter_errors(faulty)}
    assert faults(faulty), "the loader agrees"


def test_references_may_stand_for_texts_and_for_words(validator: Draft7Validator) -> None:
    document = {"$schema": "x", "goodbye": "${GOODBYE}", "realms": [ANONYMOUS | {"name": "${REALM}"}]}
    assert validator.is_valid(document)
    assert not validator.is_valid(document | {"limits": {"connections": "${CONNECTIONS}"}}), "numbers have none"


def test_every_key_is_explained() -> None:
    schema = schema_of_model()
    tags = ("type", "dialect", "kind", "from")
    silent = [
        f"{name}.{key}"
        for name, definition in {**schema["definitions"], "Configuration": schema}.items()
        for key, value in definition.get("properties", {}).items()
        if key not in tags and not value.get("description")
    ]
    assert silent == []
