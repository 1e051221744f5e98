"""The model's meta events: what all who have subscribed to them are told of sessions, subscriptions, registrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unit.core.model_peers import Name, Together
from unit.core.test_matching import matches

if TYPE_CHECKING:
    from unit.core.model import Model
    from unit.core.model_peers import ModelPeer


class Meta:
    """In the machine's world, only the backend may hear them, and it may hear of everyone."""

    def __init__(self, model: Model) -> None:
        self._model = model
        # Whether everyone is sent away at once, of which the session meta events don't tell.
        self.silent = False

    def joined(self, peer: ModelPeer) -> None:
        """A session has its WELCOME."""
        self.tell(
            peer.realm,
            "wamp.session.on_join",
            [{"session": peer.session, "authid": peer.authid, "authrole": peer.role}],
        )

    def left(self, peer: ModelPeer) -> None:
        """A session is gone."""
        if self.silent:
            return
        self.tell(peer.realm, "wamp.session.on_leave", [peer.session, peer.authid, peer.role])

    def tell(self, realm: str, topic: str, args: list[Any]) -> None:
        """An event of the router's own."""
        publication = Name("publication")
        together: dict[ModelPeer, Together] = {}
        for subscription in self._model.events.subscriptions:
            if subscription.realm == realm and matches(subscription.topic, subscription.match, topic):
                details = {} if subscription.match == "exact" else {"topic": topic}
                for receiver in subscription.peers:
                    assert receiver.role == "backend"
                    event = [36, subscription.id, publication, details, args]
                    together.setdefault(receiver, Together()).append(event)
        for receiver, events in together.items():
            receiver.told(events)
            self._model.counted[topic] += 1
