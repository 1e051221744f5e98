"""The sections for procedures that decide: what fits together loads, and what would lock out or let in does not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import fields

from wampgate.config import ConfigurationError
from wampgate.config.dynamic import Deciding, DynamicAuthentication, DynamicAuthorization, deciding_in

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "dynamic.md"
ASK, DECIDE = "com.example.authenticate", "com.example.authorize"
SECTIONS = (DynamicAuthentication, DynamicAuthorization)


def document(**realm: Any) -> dict[str, Any]:
    rules = [
        {"role": "decider", "actions": ["register"], "uri": ASK},
        {"role": "decider", "actions": ["register"], "uri": DECIDE},
    ]
    made = {
        "name": "realm1",
        "authentication": {
            "principals": [{"authid": "decider", "role": "decider", "ticket": "t"}],
            "dynamic": {"procedure": ASK, "methods": ["ticket"]},
        },
        "authorization": {"rules": rules, "dynamic": [{"roles": ["member"], "procedure": DECIDE}]},
    }
    for key, value in realm.items():
        place, _, name = key.partition("__")
        target: Any = made[place]
        if value is None:
            del target[name]
        else:
            target[name] = value
    return {"realms": [made]}


def test_it_loads(load_document: Callable[..., Any]) -> None:
    (realm,) = load_document(document()).realms
    assert realm.authentication.dynamic.methods == ("ticket",)
    assert realm.authorization.dynamic[0].cache_seconds == 5.0
    assert list(deciding_in(realm)) == [Deciding("realm1", ASK), Deciding("realm1", DECIDE)]
    assert realm.authmethods == ("ticket",)


def test_it_is_a_way_in(load_document: Callable[..., Any]) -> None:
    anonymous = {"procedure": ASK, "methods": ["anonymous"]}
    (realm,) = load_document(
        document(authentication__principals=None, authentication__ticket={}, authentication__dynamic=anonymous)
    ).realms
    assert realm.authmethods == ("anonymous",)


FAULTS = [
    (
        {"authentication__dynamic": {"procedure": "wampgate.x", "methods": ["ticket"]}},
        "authentication.dynamic.procedure: expected a procedure's URI outside",
    ),
    (
        {"authentication__dynamic": {"procedure": ASK}},
        "authentication.dynamic.methods: expected a list of at least one",
    ),
    ({"authentication__dynamic": {"procedure": ASK, "methods": []}}, "authentication.dynamic.methods: expected a list"),
    (
        {"authentication__dynamic": {"procedure": ASK, "methods": ["wampcra"]}},
        "authentication.dynamic: expected methods that are on, each by a section of its own beside it, got wampcra",
    ),
    (
        {"authentication__dynamic": {"procedure": ASK, "methods": ["anonymous"]}, "authentication__anonymous": {}},
        "authentication.anonymous: expected null, since authentication.dynamic decides",
    ),
    (
        {"authentication__dynamic": {"procedure": ASK, "methods": ["ticket"], "realm": "inside"}},
        f"realms: expected for each procedure of a section dynamic a rule in its realm by which a role may register"
        f" it, got no realm 'inside' for {ASK}",
    ),
    (
        {"authentication__dynamic": {"procedure": "com.example.other", "methods": ["ticket"]}},
        "got no rule of realm 'realm1' for com.example.other",
    ),
    (
        {"authentication__dynamic": {"procedure": ASK, "methods": ["ticket"], "role": "wampgate.caller"}},
        "authentication.dynamic.role: expected a role",
    ),
    (
        {"authorization__dynamic": [{"roles": ["decider"], "procedure": DECIDE}]},
        "authorization: expected in dynamic only roles that may not register what decides: about those, rules alone"
        f" decide, got 'decider', which rules let register {DECIDE}",
    ),
    (
        {"authorization__dynamic": [{"roles": ["member", "member"], "procedure": DECIDE}]},
        "authorization.dynamic: expected each role once, got 'member' twice",
    ),
    (
        {
            "authorization__dynamic": [
                {"roles": ["member"], "procedure": DECIDE},
                {"roles": ["guest", "member"], "procedure": ASK},
            ]
        },
        "authorization.dynamic: expected each role once, got 'member' twice",
    ),
    ({"authorization__dynamic": [{"roles": [], "procedure": DECIDE}]}, "roles: expected a list of at least one role"),
    (
        {"authorization__dynamic": [{"roles": ["member"], "procedure": DECIDE, "cache_seconds": 301}]},
        "authorization.dynamic[0].cache_seconds: expected a number of seconds from 0 (no cache) to 300, got 301",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), FAULTS, ids=lambda value: str(value)[:60])
def test_faults(load_document: Callable[..., Any], changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_document(document(**changes))
    assert expected in str(caught.value)


def test_a_rule_in_another_realm_is_enough_for_a_procedure_there(load_document: Callable[..., Any]) -> None:
    made = document(authentication__dynamic={"procedure": ASK, "methods": ["ticket"], "realm": "inside"})
    inside = {
        "name": "inside",
        "authentication": {"principals": [{"authid": "decider", "role": "decider", "ticket": "t"}]},
        "authorization": {"rules": [{"role": "decider", "actions": ["register"], "uri": "com.", "match": "prefix"}]},
    }
    made["realms"].append(inside)
    home, _ = load_document(made).realms
    assert next(deciding_in(home)) == Deciding("inside", ASK)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_is_documented(section: Any) -> None:
    keys = [field.name for field in fields(section)]
    assert re.findall(r"^ {4}(\w+): ", inspect.cleandoc(section.__doc__), re.MULTILINE) == keys
    assert all(f"| `{key}` |" in DOCUMENTATION.read_text() for key in keys)
