"""A whole router against a naive model, step by step: each peer is sent what the model says, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from unit.core.machine import numbers
from unit.core.machine_calls import MODES, PROCEDURES, REGISTERED, TIMEOUTS, CallsMachine
from unit.core.machine_events import PATTERNS, TOPICS, EventsMachine
from unit.core.model_events import LISTS
from unit.core.model_rights import CACHE_SECONDS
from unit.core.profiles import PROFILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unit.core.model_peers import ModelPeer

BUSTLE: Final = (
    *("subscribe", "publish", "publish", "retain", "register", "register", "call", "call", "call"),
    *("more", "more", "yield", "yield", "cancel", "answer", "unsubscribe", "unregister", "testament", "outage"),
    *("reconsider", "early", "share", "kill", "time"),
)
"""What happens at once."""


def _actions(data: bytes) -> list[tuple[str, int, int]]:
    """What bytes stand for. Hypothesis remembers one choice for all of them, where lists would be a hundred."""
    whole = len(data) // 3 * 3
    return [
        (BUSTLE[a % len(BUSTLE)], b % 64, c % 64) for a, b, c in zip(*(data[i:whole:3] for i in range(3)), strict=True)
    ]


actions = st.binary(min_size=36, max_size=120).map(_actions)


class RouterMachine(EventsMachine, CallsMachine):
    """With all that comes together: rights that end, sessions that end, and bustle."""

    @rule(actions=actions)
    def bustle(self, actions: list[tuple[str, int, int]]) -> None:
        """Much at once: what takes several messages to happen would else happen seldom."""
        for action, which, what in actions:
            if not self.someone_here():
                return
            getattr(self, f"_{action}")(which, what)

    def _subscribe(self, which: int, what: int) -> None:
        self.subscribe(which, PATTERNS[what % len(PATTERNS)], bool(what & 1))

    def _publish(self, which: int, what: int) -> None:
        options = {"acknowledge": bool(what & 1), "exclude_me": bool(what & 2), "disclose_me": bool(what & 4)}
        self.publish(which, TOPICS[what % len(TOPICS)], options, None, None, None, [what], what % 8 == 1)

    def _retain(self, which: int, what: int) -> None:
        self.retain(which, TOPICS[what % 7], what // 7, LISTS[what % 4])

    def _register(self, which: int, what: int) -> None:
        options: dict[str, Any] = {"invoke": ("roundrobin", "random", "single", "last")[what % 4]}
        if what & 4:
            options["concurrency"] = 1
        if what & 8:
            options |= {"disclose_caller": True, "forward_timeout": True}
        self.register(which, REGISTERED[what % len(REGISTERED)], options | {"force_reregister": what & 48 == 48})

    def _call(self, which: int, what: int) -> None:
        options: dict[str, Any] = {"receive_progress": bool(what & 1), "progress": bool(what & 2)}
        if what & 4:
            options["timeout"] = TIMEOUTS[what % len(TIMEOUTS)]
        self.call(which, PROCEDURES[what % len(PROCEDURES)], options, what * 3 % 64)

    def _more(self, which: int, what: int) -> None:
        if self._calling():
            self.call_again(which, what, bool(what % 3))

    def _yield(self, which: int, what: int) -> None:
        if any(model.here and model.invocations for _, model in self.pairs):
            self.answer_call(which, what, ("result", "progress", "progress", "error")[what % 4], which * 5 % 64)

    def _cancel(self, which: int, what: int) -> None:
        if self._calling():
            self.cancel(which, MODES[what % 3], what % 8 == 0)

    def _answer(self, which: int, _what: int) -> None:
        if self.model.rights.questions:
            self.answer(which)

    def _unsubscribe(self, which: int, what: int) -> None:
        if self.model.events.subscriptions:
            self.unsubscribe(which, what)

    def _unregister(self, which: int, what: int) -> None:
        if any(self.model.calls.registrations):
            self.unregister(which, what)

    def _testament(self, which: int, what: int) -> None:
        options = {"retain": bool(what & 1), "disclose_me": bool(what & 2), "exclude_me": bool(what & 4)}
        self.add_testament(which, TOPICS[what % len(TOPICS)], options, ("detached", "destroyed")[which % 2], what)

    def _outage(self, _which: int, what: int) -> None:
        """The stores are down when someone asks for what was forgotten."""
        self.take_down(True)
        self.pass_time(CACHE_SECONDS)
        if self.someone_here():
            self.subscribe(1, ("organization.7.", "prefix"), False)
        self.take_down(what % 4 == 0)

    def _reconsider(self, which: int, what: int) -> None:
        """A user's rights change, most often those of one who makes use of them."""
        users = [model for _, model in self.pairs if model.here and model.user]
        rooms = [model for model in users for one in model.registered if one.procedure.startswith("organization.7")]
        if not users:
            return
        model = rooms[which % len(rooms)] if rooms else users[which % len(users)]
        if not rooms and what & 1:
            self.change_membership(model.realm, str(model.user), "7", True)
            self.pass_time(CACHE_SECONDS)
            self._use(model)
        self.change_membership(model.realm, str(model.user), "7", what % 4 == 0)
        self.pass_time(CACHE_SECONDS)
        if model.here:
            self.reconsider([other for _, other in self.pairs if other.here].index(model))

    def _use(self, model: ModelPeer) -> None:
        """A member does what only members may."""
        peer = next(peer for peer, other in self.pairs if other is model)
        self.register_as(model, "organization.7.room.", "prefix", {})
        if model.here:
            self.subscribe_as((peer, model), "organization.7.", "prefix")
            testament = ["organization.7.room.a", [model.number], {}, {}, "destroyed"]
            self.call_as((peer, model), "wamp.session.add_testament", {}, testament)

    def _early(self, which: int, what: int) -> None:
        self.call_what_waits(which, what)

    def _kill(self, which: int, what: int) -> None:
        self.kill(which, what, ("", "", "_by_authid", "_by_authrole", "_all")[what % 5])

    def _share(self, which: int, what: int) -> None:
        self.share(which, what)

    def _time(self, _which: int, what: int) -> None:
        self.pass_time((0.5, 1.0, 2.0)[what % 3])

    # --- rights that end ---

    @precondition(lambda self: self.someone_here())
    @rule(which=numbers)
    def reconsider(self, which: int) -> None:
        """Someone's rights may have changed: what it holds, and what it waits for, is asked anew."""
        peer, model = self.pick(which)
        peer.session.realm.reconsider(peer.session)
        self.routed.flush()
        self.model.reconsider(model)
        self.compare()

    # --- ends ---

    @precondition(lambda self: self.someone_here())
    @rule(which=numbers, aborts=st.booleans())
    def say_goodbye(self, which: int, aborts: bool) -> None:
        """GOODBYE, or ABORT. Ends are rare, or nothing would live long enough to meet."""
        if which % 4:
            return
        peer, model = self.pick(which)
        if aborts:
            self.say(peer, [3, {}, "wamp.close.aborted"])
        else:
            self.say(peer, [6, {}, "wamp.close.close_realm"])
            model.told([6, {}, "wamp.close.goodbye_and_out"])
        self.model.leave(model)
        self.compare()

    @precondition(lambda self: any(model.state != "closed" for _, model in self.pairs))
    @rule(which=numbers)
    def lose_connection(self, which: int) -> None:
        """A connection is lost, in whatever state."""
        if which % 4:
            return
        open_pairs = [pair for pair in self.pairs if pair[1].state != "closed"]
        peer, model = open_pairs[which % len(open_pairs)]
        peer.leave()
        self.model.leave(model)
        self.compare()

    @precondition(lambda self: self.someone_here())
    @rule(which=numbers, whom=numbers, by=st.sampled_from(("", "", "_by_authid", "_by_authrole", "_all")))
    def kill(self, which: int, whom: int, by: str) -> None:
        """End another's session, or many."""
        if which % 4 or (by and which % 8):
            return
        self.model.counted[f"kill{by}"] += bool(self.model.procedures.testaments)
        backends = [pair for pair in self.pairs if pair[1].here and pair[1].role == "backend"]
        peer, model = backends[which % len(backends)] if backends else self.pick(which)
        _, target = self.pick(whom)
        authid = target.authid if isinstance(target.authid, str) else "someone"
        args: dict[str, list[Any]] = {
            "": [target.session.number if whom % 4 else 1],
            "_by_authid": [authid],
            "_by_authrole": [target.role],
            "_all": [],
        }
        self.call_as((peer, model), f"wamp.session.kill{by}", {}, args[by])

    @precondition(lambda self: self.someone_here())
    @rule(
        which=numbers,
        message=st.sampled_from(
            (
                [99],
                [1, "one", {"roles": {"caller": {}}}],
                [2, 1, {}],
                [70, 2**53, {}],
                [70, 2**53, {"progress": True}],
                [8, 68, 2**53, {}, "x.y"],
                [8, 48, 1, {}, "x.y"],
                [49, 1, {"mode": "gently"}],
                [69, 1, {}],
                [32, 0, {}, "x"],
            )
        ),
    )
    def violate(self, which: int, message: list[Any]) -> None:
        """Somebody breaks the protocol."""
        if which % 4:
            return
        peer, model = self.pick(which)
        self.say(peer, message)
        self.model.violated(model)
        self.compare()


EXAMPLES: Final = {"ci": 400, "nightly": 5_000}


def test_the_router_does_what_the_model_does() -> None:
    RouterMachine.counted.clear()
    steps = 100 if PROFILE == "nightly" else 50
    run_state_machine_as_test(
        RouterMachine,
        settings=settings(max_examples=EXAMPLES[PROFILE], stateful_step_count=steps, report_multiple_bugs=False),
    )
    counted = RouterMachine.counted
    # A run that delivers nothing, or refuses nothing, has tested nothing.
    never = [what for what in _MUST_HAPPEN if not counted[what]]
    assert never == [], counted


_MUST_HAPPEN: Sequence[str] = (
    "joined",
    "join refused",
    "delivered",
    "publish refused",
    "subscribe waited",
    "publish waited",
    "call waited",
    "register waited",
    "answered",
    "late",
    "expired",
    "violated",
    "killed",
    "progress",
    "timeout",
    "cancel skip",
    "cancel kill",
    "cancel killnowait",
    "cancel of nothing",
    "early",
    "more of a call",
    "more of what has ended",
    "shared",
    "random",
    "registered again",
    "registration revoked",
    "subscription revoked",
    "wampgate.error.registration_displaced",
    "retained",
    "retained told",
    "cleared",
    "testament added",
    "testament flushed",
    "testament read",
    "testament refused",
    "wamp.session.on_join",
    "wamp.session.on_leave",
    "wamp.subscription.on_create",
    "wamp.subscription.on_delete",
    "wamp.registration.on_create",
    "wamp.registration.on_delete",
    "wamp.error.not_authorized",
    "wamp.error.authorization_failed",
    "wamp.error.no_such_subscription",
    "wamp.error.no_such_registration",
    "wamp.error.no_such_procedure",
    "wamp.error.no_such_session",
    "wamp.error.no_available_callee",
    "wamp.error.feature_not_supported",
    "wamp.error.procedure_already_exists",
    "wamp.error.canceled",
    "wampgate.error.limit_exceeded",
)
