"""The model's registrations: who answers what, and whom the next call goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unit.core.model_peers import Name, Text
from unit.core.test_matching import best_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unit.core.model import Model
    from unit.core.model_peers import ModelPeer

    from wampgate.wire.messages import Match

REGISTRATIONS: Final = 5
"""So many a session may hold in the machine's world."""


class ModelCallee:
    """One peer on one registration.

    Attributes:
        peer: who answers.
        options: REGISTER.Options of its last REGISTER.
        running: its invocations that count against its concurrency.
    """

    def __init__(self, peer: ModelPeer, options: dict[str, Any]) -> None:
        self.peer = peer
        self.options = options
        self.running = 0

    @property
    def free(self) -> bool:
        """Whether it takes one more."""
        return "concurrency" not in self.options or self.running < self.options["concurrency"]


class ModelRegistration:
    """A procedure or pattern of one realm, with its callees in order."""

    def __init__(self, realm: str, procedure: str, match: Match, invoke: str) -> None:
        self.realm = realm
        self.procedure = procedure
        self.match = match
        self.invoke = invoke
        self.id = Name("registration")
        self.callees: list[ModelCallee] = []
        self.turn: ModelCallee | None = None
        self.turn_is_free = False

    def in_turn(self) -> list[ModelCallee]:
        """The callees, whose turn it is first."""
        start = 0 if self.turn is None else self.callees.index(self.turn)
        return self.callees[start:] + self.callees[:start]

    def had_its_turn(self, callee: ModelCallee) -> None:
        """Whose turn it is now. Who answers alone takes no turns."""
        if len(self.callees) > 1:
            self.turn = self.callees[(self.callees.index(callee) + 1) % len(self.callees)]
            self.turn_is_free = False

    def add(self, callee: ModelCallee) -> None:
        """One more; a turn that nobody is left to take is its own."""
        self.callees.append(callee)
        if self.turn_is_free:
            self.turn, self.turn_is_free = callee, False

    def remove(self, callee: ModelCallee) -> None:
        """Without this one; if it was its turn, it is that of the one behind it."""
        behind = self.callees[self.callees.index(callee) + 1 :]
        if self.turn is callee:
            self.turn, self.turn_is_free = (behind[0], False) if behind else (None, True)
        self.callees.remove(callee)


class Registrations:
    """All realms' registrations."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._all: list[ModelRegistration] = []

    def __iter__(self) -> Iterator[ModelRegistration]:
        return iter(self._all)

    def best(self, realm: str, procedure: str) -> ModelRegistration | None:
        """Which one answers a call."""
        here = [one for one in self._all if one.realm == realm]
        found = best_of([(one.procedure, one.match) for one in here], procedure)
        return next((one for one in here if (one.procedure, one.match) == found), None)

    def pick(
        self, registration: ModelRegistration, choose: Callable[[list[ModelCallee]], ModelCallee]
    ) -> ModelCallee | None:
        """Whom the next call goes to; who has as many as it takes is passed over."""
        order = registration.callees
        if registration.invoke == "last":
            order = order[::-1]
        elif registration.invoke == "roundrobin":
            order = registration.in_turn()
        free = [callee for callee in order if callee.free]
        if not free:
            return None
        callee = choose(free) if registration.invoke == "random" and len(free) > 1 else free[0]
        if registration.invoke == "roundrobin":
            registration.had_its_turn(callee)
        return callee

    # --- REGISTER and UNREGISTER ---

    def register(self, peer: ModelPeer, request: int, procedure: str, match: Match, options: dict[str, Any]) -> None:
        """REGISTER: acts when it is decided."""

        def act(decision: str) -> None:
            if decision != "yes":
                self._model.requests.refuse(peer, 64, request, decision)
            elif len(peer.registered) >= REGISTRATIONS:
                self._model.error(peer, 64, request, "wampgate.error.limit_exceeded")
            else:
                self._registered(peer, request, procedure, match, options)

        self._model.requests.decide(peer, 64, request, "register", procedure, match=match, act=act)

    def _registered(self, peer: ModelPeer, request: int, procedure: str, match: Match, options: dict[str, Any]) -> None:
        key = (peer.realm, procedure, match)
        registration = next((one for one in self._all if (one.realm, one.procedure, one.match) == key), None)
        invoke = options.get("invoke", "single")
        rivals = self._rivals(peer, registration, options)
        left = [] if registration is None else [one for one in registration.callees if one not in rivals]
        if registration is not None and left and (registration.invoke == "single" or registration.invoke != invoke):
            self._model.error(peer, 64, request, "wamp.error.procedure_already_exists")
            return
        for rival in rivals:
            assert registration is not None
            self._take(rival.peer, registration, "wampgate.error.registration_displaced")
        if registration is None or not left:
            registration = ModelRegistration(*key, invoke)
            self._all.append(registration)
            self._tell("on_create", peer, registration)
        self._add(peer, registration, options)
        peer.told([65, request, registration.id])

    def _rivals(
        self, peer: ModelPeer, registration: ModelRegistration | None, options: dict[str, Any]
    ) -> list[ModelCallee]:
        """Who gives way."""
        if registration is None or not options.get("force_reregister"):
            return []
        same = [one for one in registration.callees if one.peer is not peer and one.peer.authid == peer.authid]
        return [one for one in same if isinstance(one.peer.authid, str)]

    def _add(self, peer: ModelPeer, registration: ModelRegistration, options: dict[str, Any]) -> None:
        for callee in registration.callees:
            if callee.peer is peer:
                callee.options = options
                self._model.counted["registered again"] += 1
                return
        registration.add(ModelCallee(peer, options))
        self._model.counted["shared"] += len(registration.callees) > 1
        peer.registered.append(registration)
        self._tell("on_register", peer, registration)

    def unregister(self, peer: ModelPeer, request: int, number: int) -> None:
        """UNREGISTER."""
        for registration in peer.registered:
            if registration.id.number == number:
                self._remove(peer, registration)
                peer.told([67, request])
                return
        self._model.error(peer, 66, request, "wamp.error.no_such_registration")

    # --- how they end ---

    def leave(self, peer: ModelPeer) -> None:
        """Who leaves answers no more."""
        for registration in list(peer.registered):
            self._remove(peer, registration)

    def reconsider(self, peer: ModelPeer) -> None:
        """Registrations that are not allowed any more end."""
        for registration in list(peer.registered):
            self._reconsider(peer, registration)

    def _reconsider(self, peer: ModelPeer, registration: ModelRegistration) -> None:
        procedure, match = registration.procedure, registration.match

        def decided(decision: str) -> None:
            if decision == "no" and registration in peer.registered:
                self._take(peer, registration, "wamp.error.not_authorized")
                told = {"procedure": procedure, "match": match, "registration": registration.id}
                self._model.events.tell_revoked(peer, told)
                self._model.counted["registration revoked"] += 1

        decided(self._model.rights.decision(peer, "register", procedure, match, decided) or "later")

    def _take(self, peer: ModelPeer, registration: ModelRegistration, reason: str) -> None:
        self._remove(peer, registration)
        self._model.counted[reason] += 1
        if "callee.registration_revocation" in peer.features:
            peer.told([67, 0, {"registration": registration.id, "reason": reason}])

    def _remove(self, peer: ModelPeer, registration: ModelRegistration) -> None:
        (callee,) = [callee for callee in registration.callees if callee.peer is peer]
        registration.remove(callee)
        peer.registered.remove(registration)
        if not registration.callees:
            self._all.remove(registration)
        self._tell("on_unregister", peer, registration)
        if not registration.callees:
            self._tell("on_delete", peer, registration)

    def _tell(self, what: str, peer: ModelPeer, registration: ModelRegistration) -> None:
        thing: Any = registration.id
        if what == "on_create":
            thing = {
                "id": registration.id,
                "created": Text,
                "uri": registration.procedure,
                "match": registration.match,
                "invoke": registration.invoke,
            }
        self._model.meta.tell(peer.realm, f"wamp.registration.{what}", [peer.session, thing])
