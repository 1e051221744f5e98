"""What the machine's peers do as callers and callees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from unit.core.machine import Machine, numbers
from unit.core.machine_events import SEAL
from unit.core.model_rights import CACHE_SECONDS
from unit.core.test_matching import matches

if TYPE_CHECKING:
    from unit.core.machine import Pair
    from unit.core.model_calls import ModelCall
    from unit.core.model_peers import ModelPeer
    from unit.core.model_registrations import ModelRegistration
    from unit.core.routed import Peer

    from wampgate.wire.messages import Match

PROCEDURES: Final = (
    "com.a",
    "com.a.news",
    "com.8",
    "com.closed.a",
    "organization.7.room",
    "organization.7.room.a",
    "wampgate.a",
)
MAY_CALL: Final[tuple[tuple[str, Match], ...]] = tuple((procedure, "exact") for procedure in PROCEDURES)
REGISTERED: Final[tuple[tuple[str, Match], ...]] = (
    *(("com.a", "exact"), ("com.a", "exact"), ("com.a.news", "exact"), ("com.closed.a", "exact")),
    *(("organization.7.room", "exact"), ("organization.7.room.a", "exact"), ("wampgate.a", "exact")),
    ("com.a", "prefix"),
    ("com.a.", "prefix"),
    ("com.", "wildcard"),
    ("com..news", "wildcard"),
    ("com.a.", "wildcard"),
    ("com..a", "wildcard"),
    ("organization.7.room.", "prefix"),
    ("organization.7.room.", "wildcard"),
    ("organization.7.room", "prefix"),
    ("", "prefix"),
)
MODES: Final = ("skip", "kill", "killnowait")
# No two of these, nor one and a whole number of half seconds, come due at once.
TIMEOUTS: Final = (311, 733, 1901, 3407)

register_options = st.fixed_dictionaries(
    {"invoke": st.sampled_from(("single", "roundrobin", "random", "first", "last", "random", "roundrobin"))},
    optional={
        "concurrency": st.sampled_from((1, 1, 2)),
        "disclose_caller": st.booleans(),
        "forward_timeout": st.booleans(),
        "force_reregister": st.booleans(),
    },
)
call_options = st.fixed_dictionaries(
    {},
    optional={
        "receive_progress": st.booleans(),
        "progress": st.booleans(),
        "disclose_me": st.booleans(),
        "timeout": st.sampled_from((0, *TIMEOUTS)),
    },
)


class CallsMachine(Machine):
    """With procedures, calls in one or several messages, and all that ends them."""

    @precondition(lambda self: self.someone_here())
    @rule(which=numbers, pattern=st.sampled_from(REGISTERED), options=register_options)
    def register(self, which: int, pattern: tuple[str, Match], options: dict[str, Any]) -> None:
        """REGISTER; what others share is often shared with them."""
        _, model = self.pick(which)
        procedure, match = self.likely(which, model, "register", pattern, REGISTERED)
        shared = [
            one
            for one in self.model.calls.registrations
            if one.realm == model.realm and one.invoke != "single" and (which % 3 == 0 or one not in model.registered)
        ]
        displaced = [
            one
            for one in self.model.calls.registrations
            for place in one.callees
            if one.realm == model.realm and place.peer is not model and place.peer.authid == model.authid
        ]
        if options.get("force_reregister") and isinstance(model.authid, str) and displaced:
            procedure, match = displaced[which % len(displaced)].procedure, displaced[which % len(displaced)].match
        elif shared and which % 8:
            one = shared[which % len(shared)]
            procedure, match = one.procedure, one.match
            options = options | {"invoke": one.invoke}
        self.register_as(model, procedure, match, options)

    def register_as(self, model: ModelPeer, procedure: str, match: Match, options: dict[str, Any]) -> None:
        """REGISTER, exactly this, if it is still here to do so."""
        if model.here:
            peer = self._peer_of(model)
            peer.request += 1
            self.say(peer, [64, peer.request, {"match": match, **options}, procedure])
            self.model.calls.registrations.register(model, peer.request, procedure, match, options)
            self.compare()

    @precondition(lambda self: any(self.model.calls.registrations) and self.someone_here())
    @rule(which=numbers, registration=numbers)
    def unregister(self, which: int, registration: int) -> None:
        """UNREGISTER, of one's own or of another's."""
        peer, model = self.pick(which)
        found = model.registered if model.registered and which % 4 else list(self.model.calls.registrations)
        self.unregister_as((peer, model), found[registration % len(found)])

    def unregister_as(self, pair: Pair, registration: ModelRegistration) -> None:
        """UNREGISTER, exactly this."""
        peer, model = pair
        number = registration.id.number
        peer.request += 1
        self.say(peer, [66, peer.request, number])
        self.model.calls.registrations.unregister(model, peer.request, int(number or 0))
        self.compare()

    def share(self, which: int, what: int) -> None:
        """All of a realm answer one procedure, are called in turn, and one of them stops meanwhile."""
        _, caller = self.pick(which)
        callees = [pair for pair in self.pairs if pair[1].here and pair[1].realm == caller.realm]
        options: dict[str, Any] = {"invoke": ("roundrobin", "random", "first", "last")[what % 4]}
        if what & 4:
            options["concurrency"] = 1
        if what & 16:
            options["force_reregister"] = True
        for _, model in callees:
            self.register_as(model, "com.8", "exact", options)
        for number in range(6):
            peer, model = callees[(which + number) % len(callees)]
            theirs = [one for one in model.registered if one.procedure == "com.8"]
            if number == what // 8 % 4 and theirs:
                self.unregister_as((peer, model), theirs[0])
            elif model.here:
                self.call_as((peer, model), "com.8", {"disclose_me": bool(what & 32)}, [len(self.called)])

    @precondition(lambda self: self.someone_here())
    @rule(which=numbers, procedure=st.sampled_from(PROCEDURES), options=call_options, seal=numbers)
    def call(self, which: int, procedure: str, options: dict[str, Any], seal: int) -> None:
        """CALL; whoever uses what it has not announced is rare, or nothing would live long enough."""
        realms = {one.realm for one in self.model.calls.registrations}
        callers = [pair for pair in self.pairs if pair[1].here and pair[1].realm in realms]
        peer, model = callers[which % len(callers)] if callers and which % 8 else self.pick(which)
        procedure, _ = self.likely(which, model, "call", (procedure, "exact"), MAY_CALL)
        answered = [
            uri
            for uri in PROCEDURES
            if any(
                one.realm == model.realm and matches(one.procedure, one.match, uri)
                for one in self.model.calls.registrations
            )
        ]
        if answered and which % 4:
            procedure = answered[which % len(answered)]
        args: list[Any] = [len(self.called)]
        if "caller.progressive_call_invocations" not in model.features and which % 16:
            options = {name: value for name, value in options.items() if name != "progress"}
        if seal % 4 == 1 and ("caller.payload_passthru_mode" in model.features or seal == 1):
            options = options | SEAL
            args = [f"\0{len(self.called):04}"]
        self.call_as((peer, model), procedure, options, args)

    def call_what_waits(self, which: int, what: int) -> None:
        """A call in several messages, all of them before it is decided whether it is allowed."""
        members = [pair for pair in self.pairs if pair[1].here and pair[1].user]
        if not members:
            return
        peer, model = members[which % len(members)]
        announced = "caller.progressive_call_invocations" in model.features
        procedure = ("organization.7.room", "organization.7.room.a")[what % 2]
        self.change_membership(model.realm, str(model.user), "7", what % 8 > 0)
        self._answer_room(model, procedure)
        self.answer_slowly(True)
        self.pass_time(CACHE_SECONDS)
        if not model.here:
            return
        # Whoever has not announced it breaks the protocol.
        self.call_as((peer, model), procedure, {"progress": announced or what % 4 == 3}, [len(self.called)])
        for number in range(what % 4 if announced else 0):
            self.more_as((peer, model), peer.request, procedure, number, progress=number < 2)
            if not model.here:
                return
        while what & 4 and self.model.rights.questions:
            self.answer(0)

    def _answer_room(self, caller: ModelPeer, procedure: str) -> None:
        """Someone who can answers a procedure that only members may call."""
        self.answer_slowly(False)
        here = [model for _, model in self.pairs if model.here]
        for model in here:
            able = {"callee.progressive_call_invocations", "callee.call_canceling"} <= model.features
            if able and model.realm == caller.realm and (model.role == "backend" or model.user == caller.user):
                self.register_as(model, procedure, "exact", {})
                return

    @precondition(lambda self: self._calling())
    @rule(which=numbers, what=numbers, progress=st.booleans())
    def call_again(self, which: int, what: int, progress: bool) -> None:
        """CALL, once more of the same request id: more of the same call, mostly."""
        streaming = [call for call in self.model.calls.pending if call.streaming]
        early = [(model, request) for _, model in self.pairs for request in model.early]
        peer, request, procedure = self._some_call(which)
        if early and which % 3 == 0:
            model, request = early[which % len(early)]
            peer = self._peer_of(model)
            procedure = self.called[peer, request]
        elif streaming and which % 4:
            call = streaming[which % len(streaming)]
            peer, request, procedure = self._peer_of(call.caller), call.request, call.procedure
        (model,) = [model for other, model in self.pairs if other is peer]
        over = [call for call in self.model.calls.pending if call.options.get("progress") and not call.streaming]
        if over and which % 8 == 0:
            call = over[which // 8 % len(over)]
            peer, model, request, procedure = self._peer_of(call.caller), call.caller, call.request, call.procedure
            what = 16
        announced = "caller.progressive_call_invocations" in model.features
        ends = not announced or (not streaming and not early)
        if not model.here or (ends and what % 16):
            return
        if what == 0:
            procedure = "com.other"
        # Whoever has not announced it makes a new call by this, if the id is free.
        if not announced and not model.waits(request) and request not in {call.request for call in self._of(model)}:
            return
        self.more_as((peer, model), request, procedure, what, progress=progress)

    def more_as(self, pair: Pair, request: int, procedure: str, what: int, *, progress: bool) -> None:
        """CALL of a request id that was used, exactly this."""
        peer, model = pair
        args = [f"more {what}"]
        self.say(peer, [48, request, {"progress": progress}, procedure, args])
        self.model.calls.call_again(model, request, procedure, args, progress=progress)
        self.compare()

    @precondition(lambda self: self._calling())
    @rule(which=numbers, mode=st.sampled_from(MODES), again=st.booleans())
    def cancel(self, which: int, mode: str, again: bool) -> None:
        """CANCEL, of any call, and perhaps once more."""
        peer, request, _ = self._some_call(which)
        (model,) = [model for other, model in self.pairs if other is peer]
        for _ in range(1 + again):
            if model.here:
                self.say(peer, [49, request, {"mode": mode}])
                self.model.calls.cancel(model, request, mode)
                self.compare()

    @precondition(lambda self: any(model.here and model.invocations for _, model in self.pairs))
    @rule(
        which=numbers,
        invocation=numbers,
        how=st.sampled_from(("result", "progress", "progress", "error")),
        seal=numbers,
    )
    def answer_call(self, which: int, invocation: int, how: str, seal: int) -> None:
        """YIELD or ERROR: to a pending invocation, or once more to one that is over."""
        callees = [pair for pair in self.pairs if pair[1].here and pair[1].invocations]
        peer, model = callees[which % len(callees)]
        pending = [call for call in self.model.calls.pending if call.callee is model]
        call = pending[invocation % len(pending)] if pending and invocation % 8 else None
        number = invocation % model.invocations + 1 if call is None else call.invocation
        if how == "progress" and call is not None and not call.options.get("receive_progress") and which % 16:
            how = "result"
        options: dict[str, Any] = {"progress": True} if how == "progress" else {}
        if seal % 4 == 1 and ("callee.payload_passthru_mode" in model.features or seal == 1):
            options |= SEAL
        if how == "error":
            self.say(peer, [8, 68, number, options, "com.a.error", [number]])
            self.model.calls.failed(model, number, options, "com.a.error", [number])
        else:
            self.say(peer, [70, number, options, [number]])
            self.model.calls.yielded(model, number, options, [number])
        self.compare()

    # --- which calls there are ---

    def _calling(self) -> bool:
        return any(model.here for peer, model in self.pairs for sender, _ in self.called if sender is peer)

    def _of(self, model: ModelPeer) -> list[ModelCall]:
        return self.model.calls.of(model)

    def _peer_of(self, model: ModelPeer) -> Peer:
        (peer,) = [peer for peer, other in self.pairs if other is model]
        return peer

    def _some_call(self, which: int) -> tuple[Peer, int, str]:
        """A call of someone who is here: a pending one, one that waits, or any there ever was."""
        here = {peer: model for peer, model in self.pairs if model.here}
        ever = [(peer, request) for peer, request in self.called if peer in here]
        open_calls = [
            (peer, request)
            for peer, request in ever
            if here[peer].waits(request) or any(call.request == request for call in self._of(here[peer]))
        ]
        calls = open_calls if open_calls and which % 4 else ever
        peer, request = calls[-1 - which % len(calls)]
        return peer, request, self.called[peer, request]
