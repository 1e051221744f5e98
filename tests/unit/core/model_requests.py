"""The model's requests on their way to a decision: those of one kind act in the order in which they came."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from unit.core.model_peers import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from unit.core.model import Model
    from unit.core.model_peers import ModelPeer

    from wampgate.core.decisions import Action
    from wampgate.wire.messages import Match


class Requests:
    """A lane of requests for each kind and peer."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def decide(
        self,
        peer: ModelPeer,
        code: int,
        request: int,
        action: Action,
        topic: str,
        *,
        match: Match = "exact",
        act: Callable[[str], None],
    ) -> None:
        """Act on a request when it is decided and those before it have acted."""
        entry = Waiting(request, partial(self._model.rights.decision, peer, action, topic, match), act)
        self._expect(peer, code, entry)
        if entry.at_once and not peer.lanes.get(code):
            act(str(entry.decision))
        else:
            # Kinds are asked anew in the order in which they first had to wait.
            peer.lanes.setdefault(code, []).append(entry)
            self._advance(peer, code)

    def reconsider(self, peer: ModelPeer) -> None:
        """What was said before the rights changed counts for nothing."""
        for code, lane in list(peer.lanes.items()):
            for entry in lane:
                entry.decision = None
                entry.generation += 1
            for entry in list(lane):
                self._expect(peer, code, entry)
            self._advance(peer, code)

    def withdraw(self, peer: ModelPeer, code: int, request: int) -> bool:
        """Forget a request; whether it was there. Those behind it may have their turn now."""
        lane = peer.lanes.get(code, [])
        for entry in lane:
            if entry.request == request:
                lane.remove(entry)
                entry.generation += 1
                self._advance(peer, code)
                return True
        return False

    def refuse(self, peer: ModelPeer, code: int, request: int, decision: str) -> None:
        """ERROR for what is not allowed, or could not be decided."""
        reason = "not_authorized" if decision == "no" else "authorization_failed"
        self._model.error(peer, code, request, f"wamp.error.{reason}")

    def _expect(self, peer: ModelPeer, code: int, entry: Waiting) -> None:
        generation = entry.generation

        def later(decision: str) -> None:
            if entry.generation == generation:
                entry.decision = decision
                self._advance(peer, code)

        at_once = entry.ask(later)
        entry.at_once = at_once is not None
        entry.decision = at_once or entry.decision

    def _advance(self, peer: ModelPeer, code: int) -> None:
        while peer.here and (lane := peer.lanes.get(code)) and (decision := lane[0].decision) is not None:
            lane.pop(0).act(decision)
