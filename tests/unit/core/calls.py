"""Callers and callees for tests of the dealer, with the features that each has announced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unit.core.routed import RealmUnderTest

from wampgate.core.decisions import Decision, Pending

if TYPE_CHECKING:
    from unit.core.routed import Peer, Routed, Wamp

    from wampgate.core.interfaces import Authorizer
    from wampgate.core.limits import SessionLimits

ADD: Final = "com.example.add"

CANCELING: Final = "call_canceling"
RESULTS: Final = "progressive_call_results"
INVOCATIONS: Final = "progressive_call_invocations"
TIMEOUT: Final = "call_timeout"
REVOCATION: Final = "registration_revocation"
PASSTHRU: Final = "payload_passthru_mode"


def peer_with(routed: Routed, *features: str, **peer: Any) -> Peer:
    """A session that has announced features as a caller and as a callee."""
    announced = {"features": dict.fromkeys(features, True)}
    roles = {"caller": announced, "callee": announced, "publisher": {}, "subscriber": {}}
    return routed.peer(**peer).join(roles=roles)


def registered(peer: Peer, procedure: str = ADD, **options: Any) -> int:
    """Register a procedure; return the registration id."""
    ((code, request, registration),) = peer.ask(64, options, procedure)
    assert (code, request) == (65, peer.request)
    return int(registration)


def only(heard: list[Wamp], code: int) -> Wamp:
    """The one message that was heard, which has this code."""
    assert [message[0] for message in heard] == [code], heard
    return heard[0]


def error_of(heard: list[Wamp], request: int) -> str:
    """The URI of the one ERROR that answers a CALL."""
    error = only(heard, 8)
    assert error[1:3] == [48, request]
    return str(error[4])


class SlowAuthorizer:
    """An authorizer that keeps those waiting who call, while the test wants it to."""

    def __init__(self) -> None:
        self.hold = False
        self._authorizer: Authorizer
        self._waiting: list[Pending[Decision]] = []

    def realm(self, limits: SessionLimits | None = None) -> RealmUnderTest:
        """A realm that asks this one."""
        return RealmUnderTest(authorizer=self._around, limits=limits)

    def _around(self, authorizer: Authorizer) -> SlowAuthorizer:
        self._authorizer = authorizer
        return self

    def authorize(self, who: Any, action: Any, uri: str, match: Any) -> Any:
        """See :class:`wampgate.core.interfaces.Authorizer`."""
        if action != "call" or not self.hold:
            return self._authorizer.authorize(who, action, uri, match)
        self._waiting.append(Pending())
        return self._waiting[-1]

    def answer(self, *, allowed: bool = True) -> None:
        """Say the same to all who wait."""
        waiting, self._waiting = self._waiting, []
        for pending in waiting:
            pending.resolve(Decision(allowed, "the test"))
