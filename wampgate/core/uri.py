"""URIs and organization ids: which texts they are ("URIs", "Relaxed/Loose URIs")."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from wampgate.core.matching import overlaps

if TYPE_CHECKING:
    from wampgate.wire.messages import Match

MAX_LENGTH: Final = 1024
"""The longest URI accepted, in characters. The specification sets no limit; a limit protects matching."""

# Loose rules: no whitespace, no "#", no empty component. Control characters are
# no whitespace to the specification's expression, but no URI has a use for them
# and a log line has every reason to fear them.
_CHARACTER: Final = r"[^\s.#\x00-\x1f\x7f-\x9f\ud800-\udfff]"
_LOOSE: Final = re.compile(rf"(?:{_CHARACTER}+\.)*{_CHARACTER}+").fullmatch
_LOOSE_WITH_EMPTY: Final = re.compile(rf"(?:{_CHARACTER}*\.)*{_CHARACTER}*").fullmatch
_ORGANIZATION: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII).fullmatch

RESERVED: Final = ("wamp", "wampgate")
"""Below these first components, nobody from outside publishes or registers ("Reserved URIs")."""


def is_uri(text: str) -> bool:
    """Whether a text is a URI by the loose rules, without empty components."""
    # What is too long must not be kept: clients choose the texts.
    return len(text) <= MAX_LENGTH and _is_loose(text)


@lru_cache(maxsize=4096)
def _is_loose(text: str) -> bool:
    return _LOOSE(text) is not None


def is_pattern(text: str, match: Match) -> bool:
    """Whether a text may be subscribed to with a match policy ("Pattern-based Subscription").

    Wildcards are empty components. A prefix is cut at any character, so it may
    end in a dot; an empty one matches everything.
    """
    if match == "exact":
        return is_uri(text)
    if len(text) > MAX_LENGTH:
        return False
    if match == "wildcard":
        return _LOOSE_WITH_EMPTY(text) is not None
    return text == "" or is_uri(text.removesuffix("."))


def is_reserved(text: str, match: Match = "exact") -> bool:
    """Whether a URI, or any URI that a pattern could match, is the router's own ("Reserved URIs")."""
    if match == "exact":
        return text.partition(".")[0] in RESERVED
    return any(overlaps(text, match, root, "exact") or overlaps(text, match, root + ".", "prefix") for root in RESERVED)


def is_organization_id(text: str) -> bool:
    """Whether a text is an organization id: one URI component of at most 64 ASCII letters, digits, "_" and "-".

    Ids are opaque and compared byte for byte: integers, UUIDs and slugs all fit;
    dots do not, or ``acme`` would open ``acme.eu``.
    """
    return _ORGANIZATION(text) is not None
