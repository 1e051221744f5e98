"""What those are shown whom nobody knows is the same before and after a reload, or it would show who is known."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from unit.composition.test_judging import known, realm

from wampgate.composition.authentication import authenticators_of
from wampgate.core.deadlines import Deadlines
from wampgate.core.interfaces import Connection
from wampgate.wire.messages import ClientRoles, HelloDetails

SALTED = {"secret": "A" * 43 + "=", "salt": "some salt", "iterations": 100, "keylen": 32}


def shown(section: Any, authid: str, authmethod: str = "wampcra") -> Any:
    """What someone is shown who says that this is its authid."""
    authenticators = authenticators_of(section, None, None, Deadlines(lambda: 0.0))
    outcome: list[Any] = []
    details = HelloDetails(roles=ClientRoles(), authid=authid, authmethods=[authmethod])
    connection = Connection("peer", "127.0.0.1", secure=True)
    Deferred.fromCoroutine(authenticators[authmethod].hello(details, connection)).addBoth(outcome.append)
    return outcome[0].extra.get("salt")


def test_what_is_made_up_outlives_a_reload() -> None:
    before = realm(known(wampcra=SALTED), wampcra={}, store=None)
    after = realm(known(wampcra=SALTED, role="boss"), wampcra={}, store=None)
    assert shown(before, "nobody") == shown(after, "nobody")
    assert shown(before, "nobody") != shown(before, "nobody else")


@pytest.mark.parametrize("name", ["realm2"])
def test_it_is_another_one_in_another_realm(name: str) -> None:
    here, there = (realm(known(wampcra=SALTED), wampcra={}, store=None, name=each) for each in ("realm1", name))
    assert shown(here, "nobody") != shown(there, "nobody")
