"""Nothing in the model goes without a word, and docs/limits.md says what the model does."""

import inspect
import json
import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import fields

from wampgate.config import credentials, model
from wampgate.config.model import Limits
from wampgate.config.section import Section
from wampgate.config.tickets import JwtAuthentication
from wampgate.config.values import Preset

SECTIONS = [
    value
    for value in {**vars(model), **vars(credentials)}.values()
    if isinstance(value, type) and issubclass(value, Section) and value is not Section
]
AUTHENTICATION = Path(__file__).parents[3] / "docs" / "authentication.md"
LIMITS = Path(__file__).parents[3] / "docs" / "limits.md"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_is_documented(section):
    documented = re.findall(r"^ {4}(\w+): ", inspect.cleandoc(section.__doc__), re.MULTILINE)
    assert documented == [field.name for field in fields(section)]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_section_is_frozen_and_refuses_unknown_keys(section):
    assert section.__struct_config__.frozen
    assert section.__struct_config__.forbid_unknown_fields


def test_every_limit_stands_in_the_documentation_with_its_default():
    rows = re.findall(r"^\| `(\w+)` \| ([\d,.]+)[^|]*\| ([^|]+) \| ([^|]+) \|$", LIMITS.read_text(), re.MULTILINE)
    documented = {key: float(default.replace(",", "")) for key, default, _, _ in rows}
    assert documented == {field.name: float(field.default) for field in fields(Limits)}
    assert all(bounds.strip() and consequence.strip() for _, _, bounds, consequence in rows)


def test_every_key_of_signed_tokens_and_every_preset_stands_in_the_documentation():
    text = AUTHENTICATION.read_text()
    documented = set(re.findall(r"^\| `([\w-]+)`", text, re.MULTILINE))
    assert documented == {field.name for field in fields(JwtAuthentication)} | set(get_args(Preset))


def test_the_examples_for_passport_load(load_document):
    blocks = re.findall(r"```json\n(.*?)```", AUTHENTICATION.read_text(), re.DOTALL)
    (passport,) = (block for block in blocks if '"passport"' in block)
    realm = json.loads(f"{{{passport}}}") | {"name": "realm1"}
    jwt = realm["authentication"]["ticket"]["jwt"]
    jwt["keys_file"] = __file__
    store = load_document({"realms": [realm]}, WAMPGATE_POSTGRES_DSN="dbname=x").realms[0].store
    assert store.preset == "passport"
