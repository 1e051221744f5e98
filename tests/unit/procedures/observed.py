"""A router whose realm offers the meta API, and those who watch: two organizations, an auditor, guests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unit.core.routed import RULES, Peer, RealmUnderTest, Routed, rule

from wampgate.authorization.standing import Standing
from wampgate.composition.procedures import offer_meta_api
from wampgate.core.procedures import Procedures
from wampgate.core.sifting import Sifter
from wampgate.core.visibility import Visibility

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.core.visibility import Sees

META: Final = tuple(rule(role, ("call", "subscribe"), "wamp.", "prefix") for role in ("member", "guest"))
"""Everyone may use all of it: what they see is another matter."""


class Observed:
    """Users joe (of 7 and 8), ann (of 7) and eve (of 9), a backend of the configuration, and guests."""

    def __init__(self, *, sees: Mapping[str, Sees] | None = None, rules: Sequence[Any] = META, **realm: Any) -> None:
        self.under_test = RealmUnderTest(rules=(*RULES, *rules), **realm)
        self.routed = Routed(self.under_test)
        self.realm = self.under_test.realm
        self.standing = Standing(
            self.realm,
            self.routed.router,
            self.under_test.store,
            self.under_test.memberships,
            now=self.routed.clock,
            run=self.routed.run,
        )
        self.realm.visibility = Visibility(self.standing.organizations_of, sees)
        self.sifter = Sifter(self.routed.clock)
        offer_meta_api(Procedures(self.realm, self.routed.run), self.realm, self.sifter)
        self.under_test.add_user("joe", "7", "8")
        self.under_test.add_user("ann", "7")
        self.under_test.add_user("eve", "9")

    def user(self, name: str) -> Peer:
        """A session of a user."""
        return self.routed.peer().join(f"the token of {name}")

    def backend(self) -> Peer:
        """A session of the configuration's principal: it may do everything and sees all."""
        return self.routed.peer().join("the ticket of backend")

    def guest(self) -> Peer:
        """A session of no one."""
        return self.routed.peer().join()


def subscribe(peer: Peer, topic: str, match: str = "exact") -> int:
    """Subscribe; the subscription's id."""
    answers = peer.ask(32, {"match": match}, topic)
    (answer,) = [message for message in answers if message[0] in (33, 8)]
    assert answer[0] == 33, answer
    return int(answer[2])


def register(peer: Peer, procedure: str, **options: Any) -> int:
    """Register; the registration's id."""
    answers = peer.ask(64, options, procedure)
    (answer,) = [message for message in answers if message[0] in (65, 8)]
    assert answer[0] == 65, answer
    return int(answer[2])


def call(peer: Peer, procedure: str, *args: Any, **kwargs: Any) -> Any:
    """Call; the one positional result (None without one), or the error's URI in parentheses."""
    answers = peer.ask(48, {}, procedure, list(args), kwargs)
    (answer,) = [message for message in answers if message[0] in (50, 8)]
    if answer[0] == 8:
        return f"({answer[4]})"
    args = answer[3] if len(answer) > 3 else []
    assert len(args) <= 1, args
    return args[0] if args else None


class Listener:
    """A session that has subscribed to meta events, and what it hears: (the event's last word, its arguments)."""

    def __init__(self, peer: Peer, *topics: str) -> None:
        self.peer = peer
        self._topic_by_subscription = {subscribe(peer, topic): topic for topic in topics}
        peer.heard()

    def heard(self) -> list[tuple[str, list[Any]]]:
        """The events since one last looked."""
        return [
            (self._topic_by_subscription[message[1]].removeprefix("wamp."), message[4])
            for message in self.peer.heard()
            if message[0] == 36
        ]
