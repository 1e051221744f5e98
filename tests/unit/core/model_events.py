"""The model's broker: subscriptions in plain lists, every event matched against each, and what topics retain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unit.core.model_peers import Name, Text, Together
from unit.core.test_matching import matches

if TYPE_CHECKING:
    from unit.core.model import Model
    from unit.core.model_peers import ModelPeer

    from wampgate.wire.messages import Match

SEAL: Final = ("ppt_scheme", "ppt_serializer")
LISTS: Final = ("eligible_authid", "exclude_authid", "eligible_authrole", "exclude_authrole")


def sealed(options: dict[str, Any]) -> dict[str, Any]:
    """Of options, how the payload is packed."""
    return {name: options[name] for name in SEAL if name in options}


class ModelSubscription:
    """A topic or pattern of one realm, with its subscribers in order."""

    def __init__(self, realm: str, topic: str, match: Match) -> None:
        self.realm = realm
        self.topic = topic
        self.match = match
        self.id = Name("subscription")
        self.peers: list[ModelPeer] = []


class ModelEvent:
    """One publication, as it may be told once more to who comes later."""

    def __init__(self, publisher: ModelPeer, topic: str, options: dict[str, Any], args: list[Any]) -> None:
        self.publisher = publisher
        self.topic = topic
        self.options = options
        self.args = args
        self.id = Name("publication")

    @property
    def audience(self) -> dict[str, Any]:
        """For whom it is, as far as that means anything to sessions to come."""
        lists = {name: self.options[name] for name in LISTS if name in self.options}
        return {name: listed for name, listed in lists.items() if listed or name.startswith("eligible")}

    def is_for(self, receiver: ModelPeer) -> bool:
        """Exclusion and eligibility."""
        options = self.options
        authid = receiver.authid if isinstance(receiver.authid, str) else "someone"
        return not (
            (receiver is self.publisher and options.get("exclude_me", True))
            or ("eligible" in options and receiver.session.number not in options["eligible"])
            or receiver.session.number in options.get("exclude", [])
            or ("eligible_authid" in options and authid not in options["eligible_authid"])
            or authid in options.get("exclude_authid", [])
            or ("eligible_authrole" in options and receiver.role not in options["eligible_authrole"])
            or receiver.role in options.get("exclude_authrole", [])
        )

    def event(self, subscription: ModelSubscription, **told: Any) -> list[Any]:
        """The EVENT by one subscription."""
        if subscription.match != "exact":
            told["topic"] = self.topic
        if self.options.get("disclose_me"):
            publisher = self.publisher
            told |= {
                "publisher": publisher.session,
                "publisher_authid": publisher.authid,
                "publisher_authrole": publisher.role,
            }
        return [36, subscription.id, self.id, told | sealed(self.options), self.args]


class Events:
    """All realms' subscriptions and retained events."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.subscriptions: list[ModelSubscription] = []
        self.retained: list[tuple[str, ModelEvent]] = []

    # --- subscriptions ---

    def subscribe(self, peer: ModelPeer, request: int, topic: str, match: Match, *, get_retained: bool = False) -> None:
        """SUBSCRIBE: acts when it is decided."""

        def act(decision: str) -> None:
            if decision == "yes":
                self._subscribed(peer, request, topic, match, get_retained=get_retained)
            else:
                self._model.requests.refuse(peer, 32, request, decision)

        self._model.requests.decide(peer, 32, request, "subscribe", topic, match=match, act=act)

    def _subscribed(self, peer: ModelPeer, request: int, topic: str, match: Match, *, get_retained: bool) -> None:
        key = (peer.realm, topic, match)
        found = [one for one in self.subscriptions if (one.realm, one.topic, one.match) == key]
        subscription = found[0] if found else ModelSubscription(*key)
        if not found:
            self.subscriptions.append(subscription)
        is_new = peer not in subscription.peers
        if is_new:
            subscription.peers.append(peer)
            peer.subscribed.append(subscription)
        peer.told([33, request, subscription.id])
        if is_new and not found:
            self._tell("on_create", peer, subscription)
        if is_new:
            self._tell("on_subscribe", peer, subscription)
        if get_retained:
            self._tell_retained(peer, subscription)

    def unsubscribe(self, peer: ModelPeer, request: int, number: int) -> None:
        """UNSUBSCRIBE."""
        for subscription in peer.subscribed:
            if subscription.id.number == number:
                self._drop(peer, [subscription])
                peer.told([35, request])
                return
        self._model.error(peer, 34, request, "wamp.error.no_such_subscription")

    def leave(self, peer: ModelPeer) -> None:
        """Who leaves is a subscriber no more, and does not hear of that."""
        self._drop(peer, list(peer.subscribed))

    def _drop(self, peer: ModelPeer, subscriptions: list[ModelSubscription]) -> None:
        for subscription in subscriptions:
            subscription.peers.remove(peer)
            peer.subscribed.remove(subscription)
        self.subscriptions = [one for one in self.subscriptions if one.peers]
        for subscription in subscriptions:
            self._tell("on_unsubscribe", peer, subscription)
            if not subscription.peers:
                self._tell("on_delete", peer, subscription)

    def _tell(self, what: str, peer: ModelPeer, subscription: ModelSubscription) -> None:
        """The subscription meta events; the router's own topics are nobody's news."""
        topic, match = subscription.topic, subscription.match
        if topic.partition(".")[0] not in ("wamp", "wampgate"):
            thing: Any = subscription.id
            if what == "on_create":
                thing = {"id": subscription.id, "created": Text, "uri": topic, "match": match}
            self._model.meta.tell(peer.realm, f"wamp.subscription.{what}", [peer.session, thing])

    # --- rights that end ---

    def reconsider(self, peer: ModelPeer) -> None:
        """Subscriptions that are not allowed any more end."""
        for subscription in list(peer.subscribed):
            self._reconsider(peer, subscription)

    def _reconsider(self, peer: ModelPeer, subscription: ModelSubscription) -> None:
        def decided(decision: str) -> None:
            if decision == "no" and subscription in peer.subscribed:
                self._revoke(peer, subscription)

        topic, match = subscription.topic, subscription.match
        decided(self._model.rights.decision(peer, "subscribe", topic, match, decided) or "later")

    def _revoke(self, peer: ModelPeer, subscription: ModelSubscription) -> None:
        self._drop(peer, [subscription])
        told = {"topic": subscription.topic, "match": subscription.match, "subscription": subscription.id}
        self.tell_revoked(peer, told)
        if "subscriber.subscription_revocation" in peer.features:
            reason = "wamp.error.not_authorized"
            peer.told([35, 0, {"subscription": subscription.id, "reason": reason}])
        self._model.counted["subscription revoked"] += 1

    def tell_revoked(self, peer: ModelPeer, told: dict[str, Any]) -> None:
        """What each session is told of its own losses."""
        told |= {"reason": "wamp.error.not_authorized", "message": Text}
        for subscription in peer.subscribed:
            if (subscription.topic, subscription.match) == ("wampgate.revoked", "exact"):
                peer.told([36, subscription.id, Name("publication"), {}, [], told])

    # --- publications ---

    def publish(self, peer: ModelPeer, request: int, topic: str, options: dict[str, Any], args: list[Any]) -> None:
        """PUBLISH: acts when it is decided; a publication that is not acknowledged fails in silence."""
        if sealed(options) and "publisher.payload_passthru_mode" not in peer.features:
            self._model.violated(peer)
            return

        def act(decision: str) -> None:
            event = ModelEvent(peer, topic, options, args)
            if decision == "yes":
                self.published(event)
            else:
                self._model.counted["publish refused"] += 1
            if options.get("acknowledge") and decision == "yes":
                peer.told([17, request, event.id])
            elif options.get("acknowledge"):
                self._model.requests.refuse(peer, 16, request, decision)

        self._model.requests.decide(peer, 16, request, "publish", topic, act=act)

    def published(self, event: ModelEvent) -> None:
        """An event for everyone who receives it now, and perhaps for those who come later."""
        realm = event.publisher.realm
        if event.options.get("retain") and "eligible" not in event.options and not event.options.get("exclude"):
            self._retain(realm, event)
        together: dict[ModelPeer, Together] = {}
        for subscription in self.subscriptions:
            if subscription.realm == realm and matches(subscription.topic, subscription.match, event.topic):
                for receiver in subscription.peers:
                    if event.is_for(receiver):
                        together.setdefault(receiver, Together()).append(event.event(subscription))
        for receiver, events in together.items():
            receiver.told(events)
            self._model.counted["delivered"] += len(events)

    # --- retained events ---

    def _retain(self, realm: str, event: ModelEvent) -> None:
        """Of each topic the newest for everyone, and newer ones for some; the newest of the same lists replaces."""
        self.retained = [
            (where, kept)
            for where, kept in self.retained
            if (where, kept.topic) != (realm, event.topic) or (event.audience and kept.audience != event.audience)
        ]
        # What clears has to be remembered only where something older is left for others.
        if event.args or any((where, kept.topic) == (realm, event.topic) for where, kept in self.retained):
            self.retained.append((realm, event))
        self._model.counted["retained" if event.args else "cleared"] += 1

    def _tell_retained(self, peer: ModelPeer, subscription: ModelSubscription) -> None:
        """Of each topic the newest that this peer would have received; if it had no payload, none."""
        newest: dict[str, ModelEvent] = {}
        for realm, event in self.retained:
            if (
                realm == peer.realm
                and event.is_for(peer)
                and matches(subscription.topic, subscription.match, event.topic)
            ):
                newest.pop(event.topic, None)
                newest[event.topic] = event
        for event in newest.values():
            if event.args:
                peer.told(event.event(subscription, retained=True))
                self._model.counted["retained told"] += 1
