"""Which texts are URIs, patterns, reserved, and organization ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.test_matching import matches

from wampgate.core import uri as uri_module
from wampgate.core.uri import MAX_LENGTH, is_organization_id, is_pattern, is_reserved, is_uri

if TYPE_CHECKING:
    from wampgate.wire.messages import Match

URIS = [
    "a",
    "com.myapp.mytopic1",
    "organization.07",
    "organization.7",
    "organization.7f0b7c1e-9f0a-4d56-8a5e-2f1b2c3d4e5f",
    "organization.acme_eu-2",
    "UPPER.Case",
    "ünïcödé.主题",
    "a-b_c~!$&'()*+,;=:@/?%[]{}|\\\"<>^`",
    "wamp.error.not_authorized",
    "\N{FULLWIDTH DIGIT SEVEN}.x",
    "x" * MAX_LENGTH,
    ".".join(["x"] * (MAX_LENGTH // 2)),
    "\N{PILE OF POO}",
]
NO_URIS = [
    "",
    ".",
    "..",
    "a.",
    ".a",
    "a..b",
    "a b",
    " a",
    "a ",
    "a\n",
    "a\r\n",
    "\na",
    "a\n.b",
    "a\tb",
    "a\x00b",
    "a\x1fb",
    "a\x1bb",
    "a\x7fb",
    "a\x85b",
    "a\x9fb",
    "a\xa0b",
    "a\u2028b",
    "a\u2029b",
    "a\u3000b",
    "a#b",
    "#",
    "a.#.b",
    "a\ud800b",
    "\udfff",
    "x" * (MAX_LENGTH + 1),
]


@pytest.mark.parametrize("text", URIS)
def test_a_uri(text: str) -> None:
    assert is_uri(text)
    assert is_pattern(text, "exact")
    assert is_pattern(text, "prefix")
    assert is_pattern(text, "wildcard")


@pytest.mark.parametrize("text", NO_URIS)
def test_no_uri(text: str) -> None:
    assert not is_uri(text)
    assert not is_pattern(text, "exact")


@pytest.mark.parametrize(
    ("text", "prefix", "wildcard"),
    [
        ("", True, True),
        (".", False, True),
        ("a.", True, True),
        ("a..", False, True),
        (".a", False, True),
        ("a..b", False, True),
        ("a.b", True, True),
        ("organi", True, True),
        ("a.\n", False, False),
        ("a.\n.", False, False),
        ("a b.", False, False),
        ("#", False, False),
        ("\0", False, False),
        ("." * MAX_LENGTH, False, True),
        ("." * (MAX_LENGTH + 1), False, False),
        ("x" * MAX_LENGTH + ".", False, False),
    ],
)
def test_patterns(text: str, prefix: bool, wildcard: bool) -> None:
    assert is_pattern(text, "prefix") is prefix
    assert is_pattern(text, "wildcard") is wildcard


@given(text=st.text(alphabet=st.characters() | st.sampled_from(".# \n\0\ud800"), max_size=12))
def test_a_uri_is_what_the_specification_s_expression_takes_without_control_characters(text: str) -> None:
    components = text.split(".")
    assert is_uri(text) == all(
        component
        and not any(
            character.isspace()
            or character == "#"
            or not ord(character) >= 0x20
            or 0x7F <= ord(character) <= 0x9F
            # Lone surrogates can't be sent on.
            or 0xD800 <= ord(character) <= 0xDFFF
            for character in component
        )
        for component in components
    )


@pytest.mark.parametrize("text", ["1", "7", "07", "0", "a", "acme", "ACME", "-", "_", "a_b-C9", "x" * 64])
def test_an_organization_id(text: str) -> None:
    assert is_organization_id(text)


@pytest.mark.parametrize("text", ["7f0b7c1e-9f0a-4d56-8a5e-2f1b2c3d4e5f", "7F0B7C1E9F0A4D568A5E2F1B2C3D4E5F"])
def test_a_uuid_is_an_organization_id(text: str) -> None:
    assert is_organization_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "acme.eu",
        "acme.",
        "7\n",
        "7\r",
        "\n7",
        " 7",
        "7 ",
        "7\0",
        "*",
        "%37",
        "a/b",
        "a+b",
        "é",
        "\N{FULLWIDTH DIGIT SEVEN}",
        "\N{ARABIC-INDIC DIGIT SEVEN}",
        "\N{LATIN SMALL LETTER DOTLESS I}",
        "\N{KELVIN SIGN}",
        "\N{LATIN SMALL LETTER LONG S}",
        "a\u200bb",
        "x" * 65,
    ],
)
def test_no_organization_id(text: str) -> None:
    assert not is_organization_id(text)


@pytest.mark.parametrize(
    ("text", "match", "expected"),
    [
        ("wamp", "exact", True),
        ("wamp.session.count", "exact", True),
        ("wampgate.publish", "exact", True),
        ("wampum", "exact", False),
        ("com.wamp.x", "exact", False),
        ("WAMP.x", "exact", False),
        ("", "prefix", True),
        ("w", "prefix", True),
        ("wamp", "prefix", True),
        ("wamp.", "prefix", True),
        ("wamp.x", "prefix", True),
        ("wampg", "prefix", True),
        ("wampx", "prefix", False),
        ("com", "prefix", False),
        ("", "wildcard", True),
        (".", "wildcard", True),
        ("..x", "wildcard", True),
        (".session.", "wildcard", True),
        ("wampgate.", "wildcard", True),
        ("com..x", "wildcard", False),
        ("wampx.", "wildcard", False),
    ],
)
def test_reserved_uris(text: str, match: Match, expected: bool) -> None:
    assert is_reserved(text, match) is expected


parts = st.lists(st.sampled_from(("", "wamp", "wampgate", "w", "com")), min_size=1, max_size=3).map(".".join)


@given(pattern=parts, match=st.sampled_from(("exact", "prefix", "wildcard")))
def test_a_pattern_is_reserved_if_it_can_match_what_is(pattern: str, match: Match) -> None:
    below = ("", ".wamp", ".w", ".x", ".com", ".wampgate")
    world = ["wamp", "wampgate"]
    for root in ("wamp", "wampgate"):
        world += [f"{root}{one}{two}" for one in below[1:] for two in below]
    if is_pattern(pattern, match):
        assert is_reserved(pattern, match) == any(matches(pattern, match, uri) for uri in world)


def test_what_is_too_long_is_not_kept() -> None:
    # Clients choose these texts: a memory of long ones would be theirs to fill.
    uri_module._is_loose.cache_clear()
    for number in range(10):
        assert not is_uri(f"{number}" * (MAX_LENGTH + 1))
    assert uri_module._is_loose.cache_info().currsize == 0
