"""The router's own procedures in the model: testaments, and the ends that an administrator sets to sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unit.core.model_events import ModelEvent
from unit.core.model_peers import ModelPeer

if TYPE_CHECKING:
    from collections.abc import Callable

    from unit.core.model import Model

TESTAMENTS: Final = 3
"""So many a session may leave in the machine's world."""

Testament = tuple[str, dict[str, Any], list[Any]]


class Procedures:
    """They answer once everything else that a message has caused is done."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._inside: dict[str, ModelPeer] = {}
        self._asked: list[tuple[ModelPeer, int, ModelPeer, str, list[Any]]] = []
        self.testaments: dict[ModelPeer, dict[str, list[Testament]]] = {}
        self._procedure_by_name: dict[str, Callable[[ModelPeer, list[Any], Callable[[Any], None]], None]] = {
            "wamp.session.add_testament": self._add_testament,
            "wamp.session.flush_testaments": self._flush_testaments,
            "wamp.session.kill": self._kill,
            "wamp.session.kill_by_authid": self._kill_by_authid,
            "wamp.session.kill_by_authrole": self._kill_by_authrole,
            "wamp.session.kill_all": self._kill_all,
        }

    def inside(self, realm: str) -> ModelPeer:
        """Whoever answers for the router in a realm."""
        if realm not in self._inside:
            self._inside[realm] = ModelPeer(-1, 0.0)
            self._inside[realm].inside = True
            self._inside[realm].state = "established"
        return self._inside[realm]

    def has(self, procedure: str) -> bool:
        """Whether the router has a procedure of its own of this name."""
        return procedure in self._procedure_by_name

    def asked(self, inside: ModelPeer, invocation: int, caller: ModelPeer, procedure: str, args: list[Any]) -> None:
        """A call has come."""
        self._asked.append((inside, invocation, caller, procedure, args))

    def answer(self) -> None:
        """Answer what was asked; a caller that has left meanwhile has no rights left to act with."""
        while self._asked:
            inside, invocation, caller, procedure, args = self._asked.pop(0)
            if not self._model.calls.is_pending(inside, invocation) or not caller.here:
                continue

            def answered(result: Any, inside: ModelPeer = inside, invocation: int = invocation) -> None:
                error = result if isinstance(result, str) else None
                self._model.calls.answered_inside(inside, invocation, error, result)

            self._procedure_by_name[procedure](caller, args, answered)

    def leave(self, peer: ModelPeer) -> None:
        """What a session has left is published, if it still may be; one waits for the other."""
        left = self.testaments.pop(peer, {})
        self._read(peer, [*left.get("detached", []), *left.get("destroyed", [])])

    # --- testaments ---

    def _add_testament(self, caller: ModelPeer, args: list[Any], answer: Callable[[Any], None]) -> None:
        topic, left, _kwargs, options, scope = args

        def decided(decision: str) -> None:
            theirs = self.testaments.get(caller, {})
            if not caller.here:
                return
            if decision != "yes":
                answer("wamp.error.not_authorized" if decision == "no" else "wamp.error.authorization_failed")
            elif sum(map(len, theirs.values())) >= TESTAMENTS:
                answer("wampgate.error.limit_exceeded")
            else:
                self.testaments.setdefault(caller, {}).setdefault(scope, []).append((topic, options, left))
                self._model.counted["testament added"] += 1
                answer([])

        decided_now = self._model.rights.decision(caller, "publish", topic, "exact", decided)
        if decided_now is not None:
            decided(decided_now)

    def _flush_testaments(self, caller: ModelPeer, args: list[Any], answer: Callable[[Any], None]) -> None:
        flushed = self.testaments.get(caller, {}).pop(args[0], [])
        self._model.counted["testament flushed"] += len(flushed)
        answer([len(flushed)])

    def _read(self, peer: ModelPeer, left: list[Testament]) -> None:
        if not left:
            return
        (topic, options, args), *rest = left

        def decided(decision: str) -> None:
            if decision == "yes":
                self._model.events.published(ModelEvent(peer, topic, options, args))
                self._model.counted["testament read"] += 1
            else:
                self._model.counted["testament refused"] += 1
            self._read(peer, rest)

        decided_now = self._model.rights.decision(peer, "publish", topic, "exact", decided)
        if decided_now is not None:
            decided(decided_now)

    # --- ends ---

    def _kill(self, caller: ModelPeer, args: list[Any], answer: Callable[[Any], None]) -> None:
        concerned = [peer for peer in self._others(caller) if peer.session.number == args[0]]
        if not concerned:
            answer("wamp.error.no_such_session")
        else:
            self._end(concerned)
            answer([])

    def _kill_by_authid(self, caller: ModelPeer, args: list[Any], answer: Callable[[Any], None]) -> None:
        concerned = [peer for peer in self._others(caller) if peer.authid == args[0]]
        self._end(concerned)
        answer([[peer.session for peer in concerned]])

    def _kill_by_authrole(self, caller: ModelPeer, args: list[Any], answer: Callable[[Any], None]) -> None:
        concerned = [peer for peer in self._others(caller) if peer.role == args[0]]
        self._end(concerned)
        answer([len(concerned)])

    def _kill_all(self, caller: ModelPeer, _args: list[Any], answer: Callable[[Any], None]) -> None:
        """No one would be left to hear of it: neither testaments nor session meta events are told."""
        concerned = self._others(caller)
        for peer in concerned:
            self.testaments.pop(peer, None)
        self._model.meta.silent = True
        self._end(concerned)
        self._model.meta.silent = False
        answer([len(concerned)])

    def _others(self, caller: ModelPeer) -> list[ModelPeer]:
        return [peer for peer in self._model.peers if peer.here and peer.realm == caller.realm and peer is not caller]

    def _end(self, concerned: list[ModelPeer]) -> None:
        for peer in concerned:
            peer.told([6, {}, "wamp.close.killed"])
            self._model.leave(peer, "closing")
            self._model.counted["killed"] += 1
