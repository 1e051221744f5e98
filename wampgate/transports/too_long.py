"""What becomes of a message that is longer than its RawSocket client takes: never sent, and never lost in silence.

The specification leaves it to us ("Serialization"). A request or an answer ends with
ERROR ``wamp.error.payload_size_exceeded`` for whoever waits for it. An event is left out,
and the client is told on ``wampgate.gap``; one that does not listen there is sent away
with the reason. What a session can't do without, such as WELCOME, ends it with ABORT.
"""

from __future__ import annotations

from collections import Counter
from time import time
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import ANSWER_TOO_LONG, EVENT_TOO_LONG, uri
from wampgate.core.gaps import Gap
from wampgate.transports.outbox import PeerOutbox
from wampgate.wire.errors import InvalidMessage
from wampgate.wire.frames import PREFIX_SIZE
from wampgate.wire.messages import Abort, Call, Cancel, CancelOptions, Error, Invocation, Result
from wampgate.wire.payload import Payload
from wampgate.wire.rawsocket import frames_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.core.router import Router
    from wampgate.core.session import Session
    from wampgate.transports.waiting import Part
    from wampgate.wire.messages import Message

LEFT_OUT: Final = "too_long_for_receiver"
"""Counts the messages, in their realm."""

_TURN_SECONDS: Final = 1.0
"""An event that leaves now was published less than that ago."""

_FOR_RECEIVER: Final = Payload(["it is longer than what its receiver takes"])


class MeasuredOutbox(PeerOutbox):
    """An outbox that sends nothing longer than its RawSocket peer takes.

    Args:
        longest: bytes of a message.
        router: hears of what the peer can't be sent.
        arguments: see :class:`PeerOutbox`.
    """

    __slots__ = ("_longest", "_router")

    def __init__(self, *arguments: Any, longest: int, router: Router, **outbox: Any) -> None:
        super().__init__(*arguments, **outbox)
        self._longest = longest + PREFIX_SIZE
        self._router = router

    def write(self, data: bytes, parts: Sequence[Part] = ()) -> None:
        """See :meth:`Outbox.write`; most of what is sent in one piece is shorter than one message may be."""
        if len(data) > self._longest:
            parts = self._fitting(parts or [(0, frame, None) for frame in frames_of(data)])
            data = b"".join([frame for _, frame, _ in parts])
            if not data:
                return
        super().write(data, parts)

    def _fitting(self, parts: Sequence[Part]) -> list[Part]:
        """What may be sent, with what is sent instead of the rest."""
        fitting: list[Part] = []
        missed: Counter[int] = Counter()
        for part in parts:
            subscription, frame, _ = part
            if len(frame) <= self._longest:
                fitting.append(part)
                continue
            session = self.session
            if session is None:
                continue
            if session.established:
                session.realm.counters[LEFT_OUT] += 1
            if subscription > 0:
                missed[subscription] += 1
            else:
                fitting += self._instead(session, frame)
        if missed:
            # Behind all the others: the subscription by which it is told may be confirmed among them.
            fitting += self._told_of(missed)
        return fitting

    # --- events ---

    def _told_of(self, missed: Counter[int]) -> list[Part]:
        """What tells of events that were left out, by subscription; who can't be told so is sent away."""
        session = self.session
        if session is None or not session.established:
            return []
        told: list[Part] = []
        for subscription_id, count in missed.items():
            subscription = (session.subscriptions or {}).get(subscription_id)
            if subscription is None:
                # What was taken away is not missed.
                continue
            gap = Gap(subscription.topic, subscription.match, time() - _TURN_SECONDS, "too_long", count)
            announcement = session.realm.gaps.announcement(session, gap)
            frame = b"" if announcement is None else self.encoding.frame(*announcement)
            if not frame or len(frame) > self._longest:
                message = f"an event is longer than the {self._longest - PREFIX_SIZE} bytes that the handshake allows"
                self._router.goodbye(session, EVENT_TOO_LONG.reason, message)
                break
            told.append((0, frame, None))
        return told

    # --- everything else has one receiver, who waits for it ---

    def _instead(self, session: Session, frame: bytes) -> list[Part]:
        """What is sent instead of a message that is no event."""
        try:
            message, _ = self.encoding.serializer.decode(frame[PREFIX_SIZE:])
        except InvalidMessage:
            return self._without(session)
        match message:
            case Result() if message.details.progress:
                # The call goes on, and would bring results behind the error that ends it for its caller.
                self._router.receive(session, Cancel(message.request, CancelOptions(mode="killnowait")), Payload())
                return []
            case Result():
                return [self._part(Error(Call.code, message.request, {}, uri.PAYLOAD_SIZE_EXCEEDED))]
            case Error():
                return [self._part(Error(message.request_type, message.request, {}, uri.PAYLOAD_SIZE_EXCEEDED))]
            case Invocation():
                # The callee can't be asked: it is answered in its stead, as if it had refused.
                answer = Error(Invocation.code, message.request, {}, uri.PAYLOAD_SIZE_EXCEEDED)
                self._router.receive(session, answer, _FOR_RECEIVER)
                return []
        return self._without(session)

    def _without(self, session: Session) -> list[Part]:
        """End a session that can't go on without the message."""
        self._router.receive(session, Abort({}, uri.PAYLOAD_SIZE_EXCEEDED), Payload())
        self.close(ANSWER_TOO_LONG.code, ANSWER_TOO_LONG.reason)
        details = {"message": f"an answer is longer than the {self._longest - PREFIX_SIZE} bytes of the handshake"}
        return [self._part(Abort(details, uri.PAYLOAD_SIZE_EXCEEDED), Payload())]

    def _part(self, message: Message, payload: Payload = _FOR_RECEIVER) -> Part:
        return 0, self.encoding.frame(message, payload), None
