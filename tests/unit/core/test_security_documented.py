"""docs/security.md names every procedure with its default, and only tests that there are."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from unit.core.routed import RealmUnderTest, Routed
from unit.procedures.observed import Observed

from wampgate import procedures
from wampgate.core.decisions import Decision
from wampgate.core.interfaces import Principal
from wampgate.core.private import HISTORY_PROCEDURES, OWN_PROCEDURES, PRIVATE, TESTAMENT_PROCEDURES
from wampgate.observation.log_levels import Levels
from wampgate.observation.snapshot import Snapshot
from wampgate.procedures.log_levels import LogLevels
from wampgate.procedures.status import Status

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "security.md").read_text()

USER = Principal("7", "member", "ticket", "store", user="7")
STATIC = Principal("backend", "backend", "ticket", "static")
NOBODY = Principal("anonymous-1", "guest", "anonymous", "anonymous")

ROWS = re.findall(r"^\| `(wamp(?:gate)?\.[a-z._]+)` \| ([a-z ]+) \| ([a-z ]+) \| ([a-z ]+) \|", TEXT, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(\w+)`", TEXT)))


def offered() -> set[str]:
    """The names of all procedures that there are, in the package and in the composition root."""
    modules = [
        importlib.import_module(f"{procedures.__name__}.{m.name}") for m in pkgutil.iter_modules(procedures.__path__)
    ]
    names = {str(module.NAME) for module in modules if hasattr(module, "NAME")}
    roots = [*(ROOT / "wampgate" / "composition").glob("*.py"), ROOT / "wampgate" / "service.py"]
    added = {name for root in roots for name in re.findall(r"procedures\.add\((\w+)\.NAME", root.read_text())}
    assert len(added) == len(names)
    observed = Observed()
    meta = {registration.procedure for registration in observed.realm.dealer.registrations}
    status = Status(observed.realm, observed.sifter, Snapshot(lambda: pytest.fail("nobody has asked")))
    return names | meta | set(status.procedures()) | set(LogLevels(Levels()).procedures())


def test_every_procedure_stands_in_the_table() -> None:
    assert {row[0] for row in ROWS} == offered()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_defaults_are_what_the_table_says(row: tuple[str, str, str, str]) -> None:
    name, *said = row
    realm = RealmUnderTest(rules=())
    Routed(realm)
    for principal, word in zip((USER, STATIC, NOBODY), said, strict=True):
        decision = realm.realm.authorize_principal(principal, "call", name, "exact")
        assert isinstance(decision, Decision)
        assert decision.allowed == (word in ("own session", "own topics")), (principal, word)
    assert (said[0] == "own session") == (name in OWN_PROCEDURES)
    assert (said[0] == "own topics") == (name in HISTORY_PROCEDURES | TESTAMENT_PROCEDURES)


@pytest.mark.parametrize("name", ["wamp.session.count", "wamp.session.kill", "wamp.subscription.list", "wamp.x"])
@pytest.mark.parametrize("principal", [USER, STATIC, NOBODY], ids=lambda principal: principal.authprovider)
def test_nothing_of_the_specifications_own_is_allowed_unasked(name: str, principal: Principal) -> None:
    realm = RealmUnderTest(rules=())
    Routed(realm)
    for action in ("call", "register", "publish", "subscribe"):
        decision = realm.realm.authorize_principal(principal, action, name, "exact")  # type: ignore[arg-type]  # four of four
        assert isinstance(decision, Decision)
        assert not decision.allowed


def test_every_private_topic_is_told() -> None:
    assert {topic for topic in PRIVATE if f"| `{topic}` |" not in TEXT} == set()


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda value: value)
def test_every_test_that_is_named_is_there(file: str, name: str) -> None:
    found = list((ROOT / "tests").rglob(file))
    assert found
    assert any(re.search(rf"^\s*(async )?def {name}\(", path.read_text(), re.MULTILINE) for path in found)


def test_there_are_tests_named() -> None:
    assert len(NAMED) > 60
