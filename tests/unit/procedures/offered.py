"""A router whose realm offers all of the router's own procedures, and those who call them."""

from __future__ import annotations

from typing import Any

from unit.core.routed import RULES, Peer, RealmUnderTest, Routed, rule

from wampgate.authorization.standing import Standing
from wampgate.core.guesses import Guesses
from wampgate.core.procedures import Procedures
from wampgate.procedures import explain, kill, organizations, refresh

ALL = ("wampgate.publish", "wampgate.auth.refresh", "wampgate.organizations", "wampgate.sessions.kill", explain.NAME)

ADMINISTRATION = (
    rule("guest", ("call",), "wampgate.publish"),
    rule("backend", ("call",), "wampgate.", "prefix"),
)


class Offered:
    """Users joe (of 7 and 8) and ann (of 7), a backend that may call everything, and guests."""

    def __init__(self, *, guesses: int = 3) -> None:
        self.under_test = RealmUnderTest(rules=(*RULES, *ADMINISTRATION))
        self.routed = Routed(self.under_test)
        self.memory = self.under_test.memory
        realm, memberships = self.under_test.realm, self.under_test.memberships
        self.guesses = Guesses(guesses, self.routed.clock)
        self.standing = Standing(
            realm, self.routed.router, self.under_test.store, memberships, now=self.routed.clock, run=self.routed.run
        )
        procedures = Procedures(realm, self.routed.run)
        ticket = realm.authenticators["ticket"]
        procedures.add(refresh.NAME, refresh.Refresh(ticket, self.routed.router, self.standing, self.guesses))
        procedures.add(organizations.NAME, organizations.Organizations(memberships))
        procedures.add(kill.NAME, kill.Kill(realm, self.standing))
        procedures.add(explain.NAME, explain.Explain(realm, {"backend": "backend"}, "member"))
        self.under_test.add_user("joe", "7", "8")
        self.under_test.add_user("ann", "7")

    def user(self, name: str, address: str = "127.0.0.1") -> Peer:
        """A session of a user."""
        return self.routed.peer(address).join(f"the token of {name}")

    def backend(self) -> Peer:
        """A session that may call everything."""
        return self.routed.peer().join("the ticket of backend")

    def guest(self) -> Peer:
        """A session of no one."""
        return self.routed.peer().join()


def call(peer: Peer, procedure: str, *args: Any, **kwargs: Any) -> Any:
    """Call; (args, kwargs) of the result, or the error's URI."""
    answers = peer.ask(48, {}, procedure, list(args), kwargs)
    (answer,) = [message for message in answers if message[0] in (8, 50)]
    if answer[0] == 8:
        return answer[4]
    _, _, _, *payload = answer
    return (payload[0] if payload else []), (payload[1] if len(payload) > 1 else {})


def subscribe(peer: Peer, topic: str) -> int:
    """Subscribe; the subscription's id."""
    (answer,) = peer.ask(32, {}, topic)
    assert answer[0] == 33, answer
    return int(answer[2])
