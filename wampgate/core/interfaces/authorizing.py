"""The contracts of authorization: who may do what, who may join, and whom that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.decisions import Action, Decision, Pending
    from wampgate.core.interfaces.principals import Principal
    from wampgate.core.interfaces.stores import EndBy
    from wampgate.wire.messages import Match


class Authorizer(Protocol):
    """Decides what a principal may do. The default answer is no."""

    def authorize(self, who: Principal, action: Action, uri: str, match: Match) -> Decision | Pending[Decision]:
        """Whether ``who`` may do ``action`` on ``uri``, taken with ``match``.

        At once where it can be decided from what is known; later where a store
        has to be asked. A pattern is allowed only if all it could match is.
        ``uri`` is syntactically valid. Never raises.
        """


class Admission(Protocol):
    """Decides whether someone who is known may join a realm, and what WELCOME tells about it."""

    async def admit(self, who: Principal, authextra: Mapping[str, Any]) -> Mapping[str, Any]:
        """WELCOME.Details.authextra for a principal that may join.

        Args:
            who: who it is, authenticated.
            authextra: HELLO.Details.authextra, as the client sent it.

        Raises:
            JoinRefused: it may not join with what it asked for.
            StoreUnavailable: it can't be said now.
        """

    def organization_of(self, topic: str, match: Match) -> str | None:
        """The one organization that a topic belongs to, or all that a pattern could match; None if there is none."""


class SessionEnder(Protocol):
    """Ends sessions for an adapter that brings such wishes from elsewhere (a bridge)."""

    def end(self, by: EndBy, value: str) -> int:
        """End all sessions that something is true of, as an administrator would; how many those were.

        Args:
            by: what ``value`` is.
            value: an authid, a user id, a token's hash, an organization, an address, or a
                session id in decimal digits.
        """

    def end_subscribers(self, uri: str, match: Match) -> int:
        """End all sessions with a subscription that this one covers; how many those were.

        Whoever subscribes to more than that lives on, as a service that listens to all organizations.
        """
