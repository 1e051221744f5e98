"""The model's calls: from CALL to the one answer that ends each, whatever comes between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unit.core.model_events import sealed
from unit.core.model_peers import Text, Together
from unit.core.model_registrations import ModelCallee, Registrations

if TYPE_CHECKING:
    from collections.abc import Callable

    from unit.core.model import Model
    from unit.core.model_peers import ModelPeer

CALLS: Final = 6
"""So many a session may have pending in the machine's world."""

INBOX: Final = 4
"""So many of its messages may wait behind CALLs that wait."""


_FEATURES: Final[tuple[tuple[str, Callable[[dict[str, Any]], bool], frozenset[str]], ...]] = (
    (
        "caller.payload_passthru_mode",
        lambda options: bool(sealed(options)),
        frozenset({"callee.payload_passthru_mode"}),
    ),
    (
        "caller.progressive_call_invocations",
        lambda options: bool(options.get("progress")),
        frozenset({"callee.progressive_call_invocations", "callee.call_canceling"}),
    ),
)
"""What a caller has to have announced, for which calls, and what their callee then has to."""


class ModelCall:
    """A call from CALL to its one answer.

    Attributes:
        place: the callee whose running invocations it counts among; None where they aren't counted.
        streaming: whether its caller has more to send.
        until: when it ends by itself.
        killed: whether its callee was told to come to an end.
    """

    def __init__(self, caller: ModelPeer, request: int, procedure: str, options: dict[str, Any]) -> None:
        self.caller = caller
        self.request = request
        self.procedure = procedure
        self.options = options
        self.callee: ModelPeer = caller
        self.invocation = 0
        self.registration: Any = None
        self.place: ModelCallee | None = None
        self.details: dict[str, Any] = {}
        self.streaming = False
        self.timeout = 0.0
        self.until: float | None = None
        self.killed = False


class Calls:
    """All realms' calls.

    Args:
        model: the rest.
        choose: finds out which of several callees the router has chosen at random.
    """

    def __init__(
        self, model: Model, choose: Callable[[list[ModelCallee], list[Any], frozenset[str]], ModelCallee]
    ) -> None:
        self._model = model
        self._choose = choose
        self.registrations = Registrations(model)
        self.pending: list[ModelCall] = []

    def of(self, caller: ModelPeer) -> list[ModelCall]:
        """Those that a caller waits for."""
        return [call for call in self.pending if call.caller is caller]

    def _call(self, caller: ModelPeer, request: int) -> ModelCall | None:
        return next((call for call in self.of(caller) if call.request == request), None)

    # --- CALL ---

    def call(self, peer: ModelPeer, request: int, procedure: str, options: dict[str, Any], args: list[Any]) -> None:
        """CALL, the first of its request id: acts when it is decided."""
        if any(asked(options) and announced not in peer.features for announced, asked, _ in _FEATURES):
            self._model.violated(peer)
            return
        if any(asked(options) and announced not in peer.features for announced, asked, _ in _FEATURES):
            self._model.violated(peer)
            return
        if options.get("progress"):
            peer.early[request] = []
            peer.streams[request] = procedure

        def act(decision: str) -> None:
            early = peer.early.pop(request, [])
            if decision != "yes":
                self._model.requests.refuse(peer, 48, request, decision)
            elif len(self.of(peer)) >= CALLS:
                self._model.error(peer, 48, request, "wampgate.error.limit_exceeded")
            else:
                self._begin(ModelCall(peer, request, procedure, options), args)
            for progress, more in early:
                if self._call(peer, request):
                    self._model.counted["early"] += 1
                    self._go_on(peer, request, procedure, progress=progress, args=more)

        self._model.requests.decide(peer, 48, request, "call", procedure, act=act)

    def call_again(self, peer: ModelPeer, request: int, procedure: str, args: list[Any], *, progress: bool) -> None:
        """CALL, once more of a request id that was used: more of the same call, or a violation."""
        if "caller.progressive_call_invocations" in peer.features:
            if peer.waits(request):
                self._take_early(peer, request, procedure, progress=progress, args=args)
            elif self._call(peer, request):
                self._go_on(peer, request, procedure, progress=progress, args=args)
            else:
                self._model.counted["more of what has ended"] += 1
        elif peer.waits(request) or self._call(peer, request):
            self._model.violated(peer)

    def _take_early(self, peer: ModelPeer, request: int, procedure: str, *, progress: bool, args: list[Any]) -> None:
        """More of a call that still waits for its decision."""
        early = peer.early.get(request)
        if early is None or not all(more for more, _ in early) or peer.streams[request] != procedure:
            self._model.violated(peer)
        elif sum(map(len, peer.early.values())) >= INBOX:
            del peer.early[request]
            self._model.requests.withdraw(peer, 48, request)
            self._model.error(peer, 48, request, "wampgate.error.limit_exceeded")
        else:
            early.append((progress, args))

    def _begin(self, call: ModelCall, args: list[Any]) -> None:
        registration = self._model.calls.registrations.best(call.caller.realm, call.procedure)
        options = call.options
        if registration is not None:
            place = self.registrations.pick(registration, lambda free: self._choose(free, args, self._needed(options)))
            if place is None:
                self._model.error(call.caller, 48, call.request, "wamp.error.no_available_callee")
                return
            call.callee, call.registration = place.peer, registration
        elif self._model.procedures.has(call.procedure):
            place = ModelCallee(self._model.procedures.inside(call.caller.realm), {})
            call.callee = place.peer
        else:
            self._model.error(call.caller, 48, call.request, "wamp.error.no_such_procedure")
            return
        if self._needed(options) <= call.callee.features:
            self._invoke(call, place, args)
        else:
            self._model.error(call.caller, 48, call.request, "wamp.error.feature_not_supported")

    def _needed(self, options: dict[str, Any]) -> frozenset[str]:
        """What a callee has to have announced."""
        needs = [needed for _, asked, needed in _FEATURES if asked(options)]
        return frozenset().union(*needs)

    def _invoke(self, call: ModelCall, place: ModelCallee, args: list[Any]) -> None:
        caller, callee, options = call.caller, call.callee, call.options
        details = sealed(options)
        if options.get("disclose_me") or place.options.get("disclose_caller"):
            details |= {"caller": caller.session, "caller_authid": caller.authid, "caller_authrole": caller.role}
        if call.registration is not None and call.registration.match != "exact":
            details["procedure"] = call.procedure
        if options.get("receive_progress") and "callee.progressive_call_results" in callee.features:
            details["receive_progress"] = True
        call.details, call.streaming = details, bool(options.get("progress"))
        told = dict(details)
        if options.get("timeout"):
            if place.options.get("forward_timeout") and "callee.call_timeout" in callee.features:
                told["timeout"] = options["timeout"]
            else:
                call.timeout = options["timeout"] / 1000
                call.until = self._model.now + call.timeout
        if "concurrency" in place.options:
            place.running += 1
            call.place = place
        callee.invocations += 1
        call.invocation = callee.invocations
        self.pending.append(call)
        if callee.inside:
            self._model.procedures.asked(callee, call.invocation, caller, call.procedure, args)
            return
        self._tell_invocation(call, told, args)

    def _tell_invocation(self, call: ModelCall, told: dict[str, Any], args: list[Any]) -> None:
        if call.streaming:
            told["progress"] = True
        call.callee.told([68, call.invocation, call.registration.id, told, args])

    def _go_on(self, peer: ModelPeer, request: int, procedure: str, *, progress: bool, args: list[Any]) -> None:
        call = self._call(peer, request)
        if call is None or not call.streaming or call.procedure != procedure:
            self._model.violated(peer)
            return
        call.streaming = progress
        self._model.counted["more of a call"] += 1
        self._tell_invocation(call, dict(call.details), args)

    # --- CANCEL ---

    def cancel(self, peer: ModelPeer, request: int, mode: str) -> None:
        """CANCEL: of a CALL that waits, of a pending call, or of one that is over."""
        if any(entry.request == request for entry in peer.lanes.get(48, [])):
            peer.early.pop(request, None)
            self._model.requests.withdraw(peer, 48, request)
            self._model.error(peer, 48, request, "wamp.error.canceled")
            return
        call = self._call(peer, request)
        if call is None:
            self._model.counted["cancel of nothing"] += 1
            return
        self._model.counted[f"cancel {mode}"] += 1
        takes = "callee.call_canceling" in call.callee.features
        if mode == "kill" and takes:
            if not call.killed:
                call.killed = True
                call.callee.told([69, call.invocation, {"mode": "kill"}])
        else:
            self._end(call, "wamp.error.canceled", interrupt=mode != "skip")

    # --- answers ---

    def yielded(self, peer: ModelPeer, invocation: int, options: dict[str, Any], args: list[Any]) -> None:
        """YIELD: the result, or one of several."""
        call = self._asked(peer, invocation)
        forbidden = sealed(options) and "callee.payload_passthru_mode" not in peer.features
        if forbidden or invocation > peer.invocations:
            self._model.violated(peer)
        elif call is None:
            self._model.counted["late"] += 1
        elif options.get("progress") and not call.options.get("receive_progress"):
            self._model.violated(peer)
        elif sealed(options) and "caller.payload_passthru_mode" not in call.caller.features:
            # Whoever sends more of it should stop; whoever has sent all need not be told.
            self._end(call, "wamp.error.feature_not_supported", interrupt=bool(options.get("progress")))
        elif options.get("progress"):
            if call.until is not None:
                call.until = self._model.now + call.timeout
            call.caller.told([50, call.request, {"progress": True, **sealed(options)}, args])
            self._model.counted["progress"] += 1
        else:
            self._forget(call)
            call.caller.told([50, call.request, sealed(options), args])
            self._model.counted["answered"] += 1

    def failed(self, peer: ModelPeer, invocation: int, details: dict[str, Any], error: str, args: list[Any]) -> None:
        """ERROR from a callee."""
        call = self._asked(peer, invocation)
        if invocation > peer.invocations:
            self._model.violated(peer)
        elif call is None:
            self._model.counted["late"] += 1
        else:
            self._forget(call)
            call.caller.told([8, 48, call.request, sealed(details), error, args])
            self._model.counted["answered"] += 1

    def is_pending(self, callee: ModelPeer, invocation: int) -> bool:
        """Whether someone waits for an answer."""
        return self._asked(callee, invocation) is not None

    def answered_inside(self, callee: ModelPeer, invocation: int, error: str | None, result: Any) -> None:
        """One of the router's own procedures answers."""
        call = self._asked(callee, invocation)
        if call is None:
            return
        self._forget(call)
        if error is not None:
            self._model.error(call.caller, 48, call.request, error)
        else:
            call.caller.told([50, call.request, {}, *([result] if result else [])])

    def _asked(self, callee: ModelPeer, invocation: int) -> ModelCall | None:
        mine = [call for call in self.pending if call.callee is callee]
        return next((call for call in mine if call.invocation == invocation), None)

    # --- other ends ---

    def due(self) -> list[float]:
        """When calls end by themselves."""
        return [call.until for call in self.pending if call.until is not None]

    def pass_time(self) -> None:
        """Calls that have taken too long end, several at once in any order."""
        late = [call for call in self.pending if call.until is not None and call.until <= self._model.now]
        together: dict[ModelPeer, Together] = {}
        for call in late:
            self._forget(call)
            error = [8, 48, call.request, {}, "wamp.error.timeout", [Text]]
            together.setdefault(call.caller, Together()).append(error)
            if "callee.call_canceling" in call.callee.features:
                interrupt = [69, call.invocation, {"mode": "killnowait", "reason": "wamp.error.timeout"}]
                together.setdefault(call.callee, Together()).append(interrupt)
            self._model.counted["timeout"] += 1
        for peer, messages in together.items():
            peer.told(messages)

    def leave(self, peer: ModelPeer) -> None:
        """Nothing of a peer's calls stays; callees are told that nobody waits, callers that nobody answers."""
        for call in self.of(peer):
            self._forget(call)
            self._interrupt(call, "wamp.error.canceled")
        for call in [call for call in self.pending if call.callee is peer]:
            self._forget(call)
            self._model.error(call.caller, 48, call.request, "wamp.error.canceled")

    def _end(self, call: ModelCall, error: str, *, interrupt: bool) -> None:
        self._forget(call)
        self._model.error(call.caller, 48, call.request, error)
        if interrupt:
            self._interrupt(call, error)

    def _interrupt(self, call: ModelCall, reason: str) -> None:
        if "callee.call_canceling" in call.callee.features:
            call.callee.told([69, call.invocation, {"mode": "killnowait", "reason": reason}])

    def _forget(self, call: ModelCall) -> None:
        self.pending.remove(call)
        if call.place is not None:
            call.place.running -= 1
