"""Registrations that a session may hold no longer are taken from it while it lives ("Registration Revocation")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from unit.core.calls import ADD, REVOCATION, error_of, only, peer_with, registered
from unit.core.routed import RealmUnderTest, Routed

from wampgate.core.decisions import Decision, Pending

if TYPE_CHECKING:
    from wampgate.core.interfaces import Authorizer


class Changing:
    """An authorizer that stops allowing to register."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer
        self.says: Decision | Pending[Decision] | None = None

    def authorize(self, who: Any, action: Any, uri: str, match: Any) -> Any:
        """See :class:`wampgate.core.interfaces.Authorizer`."""
        if action == "register" and self.says is not None:
            return self.says
        return self._authorizer.authorize(who, action, uri, match)


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("features", [(REVOCATION,), ()])
def test_what_may_not_be_registered_any_more_is_taken_away(features: tuple[str, ...], later: bool) -> None:
    routed = Routed(RealmUnderTest(authorizer=Changing))
    callee, caller = peer_with(routed, *features), peer_with(routed)
    ((_, _, subscription),) = callee.ask(32, {}, "wampgate.revoked")
    registration = registered(callee)
    caller.ask(48, {}, ADD)
    only(callee.heard(), 68)
    changing: Any = routed.realm.realm._authorizer
    no = Decision(False, "the test")
    changing.says = Pending() if later else no

    routed.realm.realm.reconsider(callee.session)
    if later:
        assert callee.heard() == []
        changing.says.resolve(no)

    told, *rest = sorted(callee.heard())
    assert told[:2] == [36, subscription]
    assert told[5] == {
        "procedure": ADD,
        "match": "exact",
        "registration": registration,
        "reason": "wamp.error.not_authorized",
        "message": f"this session may no longer register {ADD}",
    }
    unregistered = [67, 0, {"registration": registration, "reason": "wamp.error.not_authorized"}]
    assert rest == [unregistered] * len(features)
    # What it was asked before, it may still answer; nothing more is asked.
    callee.say(70, 1, {}, [1])
    assert only(caller.heard(), 50)[3] == [1]
    assert error_of(caller.ask(48, {}, ADD), 2) == "wamp.error.no_such_procedure"


@pytest.mark.parametrize("says", [None, Decision(False, "the store is down", failed=True)])
def test_what_is_still_allowed_or_can_t_be_decided_stays(says: Decision | None) -> None:
    routed = Routed(RealmUnderTest(authorizer=Changing))
    callee, caller = peer_with(routed, REVOCATION), peer_with(routed)
    registered(callee)
    changing: Any = routed.realm.realm._authorizer
    changing.says = says
    routed.realm.realm.reconsider(callee.session)
    assert callee.heard() == []
    caller.ask(48, {}, ADD)
    assert only(callee.heard(), 68)
