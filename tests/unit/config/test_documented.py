"""Nothing in the model goes without a word, and docs/limits.md says what the model does."""

import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from wampgate.config import model
from wampgate.config.model import Limits
from wampgate.config.section import Section

SECTIONS = [value for value in vars(model).values() if isinstance(value, type) and issubclass(value, Section)]
SECTIONS.remove(Section)
LIMITS = Path(__file__).parents[3] / "docs" / "limits.md"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_is_documented(section):
    documented = re.findall(r"^ {8}(\w+): ", section.__doc__, re.MULTILINE)
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
