"""``wamp.subscription.list``, ``lookup``, ``match``, ``get``, ``list_subscribers``, ``count_subscribers``.

The "Subscription Meta API". A subscription is there for whoever could subscribe to the same;
its subscribers are those whom the caller sees.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.meta import subscription_details
from wampgate.core.procedures import when_decided
from wampgate.core.visibility import is_inside
from wampgate.procedures.answers import checked_id, checked_text, ids_answer, ids_by_match_answer, match_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.broker import Subscription
    from wampgate.core.decisions import Decision, Pending
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.core.sifting import Sifter


class MetaSubscriptions:
    """Answers for the subscriptions of one realm.

    Args:
        realm: whose subscriptions.
        sifter: looks through them.
    """

    def __init__(self, realm: Realm, sifter: Sifter) -> None:
        self._realm = realm
        self._sifter = sifter

    def procedures(self) -> Mapping[str, Callable[[Asked], None]]:
        """Each procedure by its name. Each raises RequestRefused for arguments that are none of its own."""
        return {
            "wamp.subscription.list": self.list_ids,
            "wamp.subscription.lookup": self.lookup,
            "wamp.subscription.match": self.match,
            "wamp.subscription.get": self.get,
            "wamp.subscription.list_subscribers": self.list_subscribers,
            "wamp.subscription.count_subscribers": self.count_subscribers,
        }

    def list_ids(self, asked: Asked) -> None:
        """The ids of all subscriptions, by match policy."""
        asked.arguments()

        def answer(subscriptions: list[Subscription]) -> None:
            ids_by_match_answer(asked, ((each.id, each.match) for each in subscriptions))

        self._sifter.sift(asked, self._realm.broker.subscriptions, partial(self._decide, asked.caller), answer)

    def lookup(self, asked: Asked) -> None:
        """The id of the subscription to a topic or pattern; None without one."""
        values = asked.arguments("topic", "options")
        topic, match = checked_text(values, "topic"), match_of(values)
        subscription = self._realm.broker.lookup(topic, match)
        found = [] if subscription is None else [subscription]
        self._sift(asked, found, lambda seen: asked.result(seen[0].id if seen else None))

    def match(self, asked: Asked) -> None:
        """The ids of the subscriptions by which an event on a topic is received; None if there are none."""
        topic = checked_text(asked.arguments("topic"), "topic")
        matching = list(self._realm.broker.matching(topic))

        def answer(seen: list[Subscription]) -> None:
            asked.result([subscription.id for subscription in seen] or None)

        self._sift(asked, matching, answer)

    def get(self, asked: Asked) -> None:
        """What there is to know of a subscription."""
        self._of(asked, lambda subscription: asked.result(subscription_details(subscription)))

    def list_subscribers(self, asked: Asked) -> None:
        """The ids of a subscription's subscribers."""

        def answer(sessions: list[Session]) -> None:
            ids_answer(asked, [session.id for session in sessions])

        self._of(asked, lambda subscription: self._subscribers(asked, subscription, answer))

    def count_subscribers(self, asked: Asked) -> None:
        """How many subscribers a subscription has."""

        def answer(sessions: list[Session]) -> None:
            asked.result(len(sessions))

        self._of(asked, lambda subscription: self._subscribers(asked, subscription, answer))

    def _decide(self, caller: Session, subscription: Subscription) -> Decision | Pending[Decision]:
        return self._realm.authorize(caller, "subscribe", subscription.topic, subscription.match)

    def _sift(
        self, asked: Asked, subscriptions: list[Subscription], then: Callable[[list[Subscription]], None]
    ) -> None:
        self._sifter.sift(asked, lambda: subscriptions, partial(self._decide, asked.caller), then)

    def _of(self, asked: Asked, answer: Callable[[Subscription], None]) -> None:
        """Answer for the subscription that a call names.

        Raises:
            RequestRefused: there is none with this id.
        """
        number = checked_id(asked.arguments("subscription"), "subscription")
        subscription = self._realm.broker.subscription(number)
        if subscription is None:
            raise _NO_SUCH_SUBSCRIPTION
        when_decided(self._decide(asked.caller, subscription), partial(self._decided, asked, subscription, answer))

    def _decided(
        self, asked: Asked, subscription: Subscription, answer: Callable[[Subscription], None], decision: Decision
    ) -> None:
        if not asked.caller.established:
            return
        if decision.allowed:
            answer(subscription)
            return
        # The log tells what the caller must not learn: ids can be guessed.
        refusal = self._realm.requests.refusal(
            asked.caller, "subscribe", subscription.topic, subscription.match, decision
        )
        asked.refuse(refusal if decision.failed else _NO_SUCH_SUBSCRIPTION)

    def _subscribers(self, asked: Asked, subscription: Subscription, then: Callable[[list[Session]], None]) -> None:
        caller, sees = asked.caller, self._realm.visibility.sees
        self._sifter.sift(
            asked,
            lambda: subscription.recipients,
            lambda session: not is_inside(session) and sees(caller, session),
            then,
        )


_NO_SUCH_SUBSCRIPTION: Final = RequestRefused(
    uri.NO_SUCH_SUBSCRIPTION, "there is no subscription with this id that this session could have itself"
)
