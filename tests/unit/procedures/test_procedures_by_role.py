"""Who may call which of the router's own procedures, and that no way round gives more than the direct one."""

from __future__ import annotations

from typing import Any

import pytest
from unit.procedures.offered import ALL, Offered, call, subscribe

DENIED = "wamp.error.not_authorized"


@pytest.fixture
def offered() -> Offered:
    return Offered()


ARGUMENTS: dict[str, list[Any]] = {
    "wampgate.publish": ["com.example.topic", ["text"]],
    "wampgate.auth.refresh": ["the token of joe"],
    "wampgate.organizations": [],
    "wampgate.sessions.kill": ["nobody"],
    "wampgate.explain": ["joe", "subscribe", "organization.7"],
}
OWN = {"wampgate.auth.refresh", "wampgate.organizations"}
MAY = {
    "backend": set(ALL) - OWN,
    "joe": OWN | {"wampgate.publish"},
    "guest": {"wampgate.publish"},
}


@pytest.mark.parametrize("procedure", ALL)
@pytest.mark.parametrize("who", MAY)
def test_each_procedure_by_each_role(offered: Offered, who: str, procedure: str) -> None:
    peer = {"backend": offered.backend, "guest": offered.guest}.get(who, lambda: offered.user("joe"))()
    answer = call(peer, procedure, *ARGUMENTS[procedure])
    if procedure in MAY[who]:
        assert isinstance(answer, tuple), answer
    else:
        assert answer == DENIED


@pytest.mark.parametrize("topic", ["organization.7", "wampgate.revoked", "com.example.closed.x", "elsewhere"])
@pytest.mark.parametrize("who", ["joe", "guest"])
def test_publishing_through_the_procedure_is_no_more_than_publishing(offered: Offered, who: str, topic: str) -> None:
    peer = offered.user("joe") if who == "joe" else offered.guest()
    listener = offered.user("ann")
    subscribe(listener, "organization.7")
    (direct,) = peer.ask(16, {"acknowledge": True}, topic, ["text"])
    through = call(peer, "wampgate.publish", topic, ["text"])
    assert (direct[4] if direct[0] == 8 else "published") == (through if isinstance(through, str) else "published")
    if topic != "com.example.closed.x" or who == "joe":
        assert through == DENIED
    assert listener.heard() == []


def test_no_one_explains_to_a_member_what_is_not_its_own(offered: Offered) -> None:
    assert call(offered.user("joe"), "wampgate.explain", "ann", "subscribe", "organization.7") == DENIED


def test_no_one_registers_what_is_the_routers(offered: Offered) -> None:
    for peer in (offered.backend(), offered.user("joe")):
        for procedure in (*ALL, "wampgate.mine", "wamp.mine"):
            assert peer.ask(64, {}, procedure)[0][4] == DENIED
