"""docs/conformance.md names only tests, files and notes that exist, and has a row for all that WELCOME announces."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from wampgate.core.roles import announced

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs" / "conformance.md").read_text()
ROWS: Final = [line.split(" | ") for line in TEXT.splitlines() if line.startswith("| ") and " | " in line]
DIGITS: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"

SECTION_BY_FEATURE: Final = {
    "call_canceling": "Call Canceling",
    "call_timeout": "Call Timeouts",
    "caller_identification": "Caller Identification",
    "event_history": "Event History",
    "event_retention": "Event Retention",
    "pattern_based_registration": "Pattern-based Registrations",
    "pattern_based_subscription": "Pattern-based Subscription",
    "payload_passthru_mode": "Payload Passthru Mode",
    "progressive_call_invocations": "Progressive Call Invocations",
    "progressive_call_results": "Progressive Call Results",
    "publisher_exclusion": "Publisher Exclusion",
    "publisher_identification": "Publisher Identification",
    "registration_meta_api": "Registration Meta API",
    "registration_revocation": "Registration Revocation",
    "session_meta_api": "Session Meta API",
    "shared_registration": "Shared Registration",
    "subscriber_blackwhite_listing": "Subscriber Black- and Whitelisting",
    "subscription_meta_api": "Subscriptions Meta API",
    "subscription_revocation": "Subscription Revocation",
    "testament_meta_api": "Session Testament",
}
"""All that may be announced, by the names of the specification, with the sections that say what it is."""

LATER: Final = ("sharded", "trustlevel", "rerouting", "reflection")


def named() -> list[tuple[str, str]]:
    """The file and the function, or nothing, of each test that is named; ``…`` stands for the file before."""
    found, before = [], ""
    for name in re.findall(r"`((?:[a-z_]+/)+test_\w+\.py(?:::\w+)?|…::\w+)`", TEXT):
        path, _, function = name.partition("::")
        before = before if path == "…" else path
        found.append((before, function))
    return found


@pytest.mark.parametrize(("path", "function"), named())
def test_each_test_is_there(path: str, function: str) -> None:
    text = (ROOT / "tests" / path).read_text()
    wanted = f"{function}(" if function else "test_"
    assert re.search(rf"^(?:async )?def {re.escape(wanted)}", text, re.MULTILINE)


def test_each_row_that_says_yes_names_a_test() -> None:
    says_yes = [row for row in ROWS if row[2].startswith("yes")]
    assert len(says_yes) > 50
    assert [row[0] for row in says_yes if "test_" not in row[3]] == []


def test_each_note_stands_there_once_and_is_referred_to() -> None:
    notes = Counter(re.findall(rf"^([{DIGITS}]+) ", TEXT, re.MULTILINE))
    referred = re.findall(rf"[a-z)] ([{DIGITS}]+)", "\n".join(row[2] for row in ROWS))
    assert len(notes) > 20
    assert set(notes.values()) == {1}
    assert set(notes) == set(referred)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+\.md)(?:#[^)]*)?\)", TEXT))))
def test_each_link_leads_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).is_file()


def test_what_welcome_announces_has_its_row_and_nothing_else_is_announced() -> None:
    roles = announced(history=True, retention=True)
    features = {feature for role in roles.values() for feature in role["features"]}
    assert features == set(SECTION_BY_FEATURE)
    sections = {section for row in ROWS if row[2].startswith("yes") for section in row[1].split("; ")}
    assert {feature for feature, section in SECTION_BY_FEATURE.items() if section not in sections} == set()
    assert not [feature for feature in features if any(later in feature for later in LATER)]


def test_what_is_switched_off_is_not_announced() -> None:
    features = announced(history=False, retention=False)["broker"]["features"]
    assert not {"event_history", "event_retention"} & set(features)
