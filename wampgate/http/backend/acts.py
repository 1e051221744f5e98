"""What a request does once its session is there: publish one event or many, or call; and what that is answered with."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Raw

from wampgate.http.backend.answers import STATUS_BY_ERROR, Answer, problem_of, refusal, result
from wampgate.http.backend.bodies import NO_ARGS, NO_KWARGS, BatchAnswer, CallAnswer, Outcome, Problem, Published
from wampgate.wire.messages import Call, Error, Result
from wampgate.wire.messages import Published as PublishedMessage
from wampgate.wire.serializers import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.core.session import Session
    from wampgate.http.backend.decoding import Prepared
    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload

    Send = Callable[[Message, Payload], None]

_PUBLISHED: Final = 200
_PARTLY: Final = 207


class Act(Protocol):
    """One request's messages, from the first that is sent to the last answer."""

    def go_on(self, send: Send) -> None:
        """Send what is to be sent, until all is or the session's inbox is full."""

    def pause(self) -> None:
        """The inbox is full: send no more until :meth:`go_on`."""

    def received(self, message: Message, payload: Payload) -> Answer | None:
        """Take an answer of the router's; the answer to the whole once it is complete."""

    def over(self, session: Session, answer: Answer, problem: Problem) -> Answer:
        """The answer where the session has ended, or time has run out.

        Args:
            session: whose messages they were, not yet ended.
            answer: that says so, if nothing was done.
            problem: the same, as a description.
        """

    def waits(self, session: Session) -> bool:
        """Whether anything is still open; if not, the answer is on its way already."""


class Publishing:
    """Publishes events in order.

    Args:
        messages: the publications; their request ids count from 1.
        batch: whether the answer lists results, even of one.
    """

    def __init__(self, messages: Sequence[Prepared], *, batch: bool) -> None:
        self._unsent = deque(messages)
        self._results: list[int | Problem | None] = [None] * len(messages)
        self._open = len(messages)
        self._batch = batch
        self._paused = False
        self._sending = False

    def go_on(self, send: Send) -> None:
        """See :class:`Act`."""
        self._paused = False
        if self._sending:
            return
        self._sending = True
        while self._unsent and not self._paused:
            send(*self._unsent.popleft())
        self._sending = False

    def pause(self) -> None:
        """See :class:`Act`."""
        self._paused = True

    def received(self, message: Message, payload: Payload) -> Answer | None:
        """See :class:`Act`."""
        if isinstance(message, PublishedMessage):
            self._results[message.request - 1] = message.publication
        elif isinstance(message, Error):
            self._results[message.request - 1] = _problem_of_error(message, payload)
        else:
            return None
        self._open -= 1
        return None if self._open else self._answer(self._results)

    def over(self, session: Session, answer: Answer, problem: Problem) -> Answer:  # noqa: ARG002 - the interface's
        """See :class:`Act`."""
        if not any(isinstance(one, int) for one in self._results):
            return answer
        return self._answer([one or problem for one in self._results])

    def waits(self, session: Session) -> bool:
        """See :class:`Act`."""
        return bool(self._unsent) or (session.inbox is not None and len(session.inbox) > 0)

    def _answer(self, results: Sequence[int | Problem | None]) -> Answer:
        if not self._batch:
            (one,) = results
            return result(Published(one)) if isinstance(one, int) else refusal(_given(one))
        listed = [Outcome(one) if isinstance(one, int) else Outcome(problem=_given(one)) for one in results]
        published = sum(isinstance(one, int) for one in results)
        answer = result(BatchAnswer(listed), status=_PUBLISHED if published == len(listed) else _PARTLY)
        # Where nothing was published, a repeat may do what this request could not.
        return answer if published else replace(answer, settled=False)


class Calling:
    """Calls a procedure."""

    def __init__(self, message: Call, payload: Payload, session: Session) -> None:
        self._message: tuple[Call, Payload] | None = (message, payload)
        self._session = session
        self._may_be_invoked = False

    def go_on(self, send: Send) -> None:
        """See :class:`Act`."""
        message, self._message = self._message, None
        if message is not None:
            send(*message)
            # What waits for its decision is invoked later or not at all: only its answer tells.
            self._may_be_invoked = self.waits(self._session)

    def pause(self) -> None:
        """Nothing more is sent anyway."""

    def received(self, message: Message, payload: Payload) -> Answer | None:
        """See :class:`Act`."""
        if isinstance(message, Result):
            return _answer_of_result(payload)
        if isinstance(message, Error):
            return refusal(_problem_of_error(message, payload), settled=_was_invoked(self._session))
        return None

    def over(self, session: Session, answer: Answer, problem: Problem) -> Answer:
        """See :class:`Act`: the callee may have done its work, whoever waits for it."""
        if not _was_invoked(session) and (not self._may_be_invoked or self.waits(session)):
            return answer
        problem.detail += "; the callee may have done its work all the same"
        return replace(refusal(problem, settled=True), headers=answer.headers)

    def waits(self, session: Session) -> bool:
        """See :class:`Act`."""
        return bool(session.calls) or (session.inbox is not None and len(session.inbox) > 0)


def _was_invoked(session: Session) -> bool:
    """Whether a session's only call has reached a callee: the dealer keeps no calls before that."""
    return session.calls is not None


def _answer_of_result(payload: Payload) -> Answer:
    if not isinstance(payload.args, list | tuple):
        return refusal(
            problem_of(502, "the callee answered in payload passthru mode, which HTTP has no form for"), settled=True
        )
    raw: list[Any] = [Raw(part) for part in payload.parts(JSON)]
    args, kwargs = (raw + [NO_ARGS, NO_KWARGS][len(raw) :])[:2]
    return result(CallAnswer(args, kwargs))


def _problem_of_error(message: Error, payload: Payload) -> Problem:
    """An ERROR's problem: the router's own has its sentence as detail, a callee's has what the callee gave as well."""
    status = STATUS_BY_ERROR.get(message.error, 500)
    args = payload.args if isinstance(payload.args, list | tuple) else (payload.args,)
    sentence = args[0] if args and isinstance(args[0], str) else ""
    if message.request_type == Call.code:
        return problem_of(status, sentence or "the call failed", message.error, args, payload.kwargs)
    return problem_of(status, sentence, message.error)


def _given(one: Problem | None) -> Problem:
    """A result that is there, since all are.

    Raises:
        AssertionError: it is not, which would be our own mistake.
    """
    if one is None:
        raise AssertionError("every publication has its result by now")
    return one
