"""The section for compression: off unless it is there, and what it accepts; docs/compression.md names every key."""

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from wampgate.composition.compression import compression_of
from wampgate.config import ConfigurationError
from wampgate.config.compression import Compression
from wampgate.transports import deflate

DOCUMENT = Path(__file__).parents[3] / "docs" / "compression.md"
REALMS = {"realms": [{"name": "realm1", "authentication": {"anonymous": {}}}]}


@pytest.mark.parametrize("more", [{}, {"compression": None}])
def test_it_is_off(load_document, more):
    assert compression_of(load_document(REALMS | more).compression) is None


def test_the_documented_section_loads(load_document):
    (block,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert compression_of(load_document(REALMS | json.loads(block)).compression) == deflate.Compression()


def test_every_key_stands_in_the_documentation_with_its_default():
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert {key: int(default.replace(",", "")) for key, default in rows} == {
        field.name: field.default for field in fields(Compression)
    }


def test_what_it_says_is_done(load_document):
    section = load_document(
        REALMS | {"compression": {"smallest_bytes": 200, "level": 9, "window_bits": 11}}
    ).compression
    assert compression_of(section) == deflate.Compression(smallest=200, level=9, window_bits=11)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("smallest_bytes", 127),
        ("smallest_bytes", 2**24 + 1),
        ("level", 0),
        ("level", 10),
        ("level", True),
        ("window_bits", 8),
        ("window_bits", 16),
        ("memory", 1),
    ],
)
def test_what_it_refuses(load_document, key, value):
    with pytest.raises(ConfigurationError, match=f"compression.*{key}|{key}.*compression"):
        load_document(REALMS | {"compression": {key: value}})
