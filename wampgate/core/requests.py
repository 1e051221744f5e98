"""What all requests have in common: their ids, the wait for a decision, the rates, and how they are refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from wampgate.core.decisions import Decision
from wampgate.core.errors import ProtocolViolation, RequestRefused, uri
from wampgate.core.inbox import Inbox
from wampgate.core.local import INSIDE
from wampgate.wire.messages import Error
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.buckets import Buckets, Exceeded
    from wampgate.core.decisions import Action, Pending
    from wampgate.core.interfaces import Deliver
    from wampgate.core.limits import SessionLimits
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match, Message

    Act: TypeAlias = Callable[[Decision], None]

INVALID: Final = RequestRefused(
    uri.INVALID_URI, "components are separated by dots, not empty, without whitespace, '#' and control characters"
)


class Requests:
    """Checks, counts and refuses the requests of one realm's sessions, and has them decided.

    Attributes:
        authorize: see :meth:`wampgate.core.realm.Realm.authorize`.
        limits: what one session may hold or have in flight.
        buckets: the rates; None where there are none.
        publishes, calls, yields: how many PUBLISH, CALL and YIELD messages have come, ever. Plain numbers, since each
            message costs an addition; what is rarer is counted by name.
        inside: how many publications the router's own adapters have made, which are no session's.
        waiting: told of each request that has to wait; what it returns is done in place of what
            would be once it is decided. None where nobody wants to know.
    """

    def __init__(self, realm: Realm, deliver: Deliver, limits: SessionLimits, buckets: Buckets | None) -> None:
        self._realm = realm
        self.authorize = realm.authorize
        self._deliver = deliver
        self.limits = limits
        self.buckets = buckets
        self.publishes = self.calls = self.yields = 0
        self.inside = 0
        self.waiting: Callable[[Session, Message, Act], Act] | None = None

    def begin(self, session: Session, message: Any) -> None:
        """Check a request's id ("IDs"): a pending one may not come again; a gap is taken and counted.

        Autobahn Python leaves out an id when a message could not be serialized.

        Raises:
            ProtocolViolation: the id is in use.
        """
        request: int = message.request
        if (session.calls is not None and request in session.calls) or (
            session.inbox is not None and request in session.inbox.requests
        ):
            raise ProtocolViolation(f"the request id {request} is in use")
        if request != session.last_request + 1:
            self._realm.counters["request_id_gaps"] += 1
        session.last_request = request

    def decide(
        self,
        session: Session,
        message: Any,
        action: Action,
        subject: str,
        match: Match,
        *,
        act: Callable[[Decision], None],
    ) -> None:
        """Act on a request once it is decided: at once, or when the answer is there and its turn has come."""
        answer = self._realm.authorize(session, action, subject, match)
        if type(answer) is Decision and (session.inbox is None or not session.inbox.has(type(message))):
            act(answer)
        else:
            self.wait(session, message, answer, partial(self._realm.authorize, session, action, subject, match), act)

    def wait(
        self,
        session: Session,
        message: Any,
        answer: Decision | Pending[Decision],
        ask: Callable[[], Decision | Pending[Decision]],
        act: Callable[[Decision], None],
    ) -> None:
        """Let a request wait for its decision and for those before it.

        Args:
            session: whose it is.
            message: the request.
            answer: what the authorizer said when it came.
            ask: asks the authorizer again.
            act: what to do once it is decided.
        """
        if session.inbox is None:
            session.inbox = Inbox()
        inbox = session.inbox
        if self.waiting is not None:
            act = self.waiting(session, message, act)

        def act_if_still_here(decision: Decision) -> None:
            if not session.established:
                return
            act(decision)
            if len(inbox) == self.limits.inbox // 2:
                session.link.resume()

        kind: type[Message] = type(message)
        inbox.wait(kind, message.request, answer, ask=ask, act=act_if_still_here)
        if len(inbox) == self.limits.inbox:
            self._realm.counters["limit_inbox_messages"] += 1
            session.link.pause()

    def allowed(self, action: Action) -> None:
        """Count what was allowed; of PUBLISH and CALL only what got no further: see :meth:`Realm.allowed`."""
        self._realm.counters[f"allowed_{action}"] += 1

    def refusal(
        self, session: Session, action: Action, subject: str, match: Match, decision: Decision
    ) -> RequestRefused:
        """What a session is told that was refused something; the log is told the reason, once for each refusal."""
        self._realm.counters["refused"] += 1
        self._realm.counters[f"{'undecided' if decision.failed else 'denied'}_{action}"] += 1
        self._realm.record("refused", session, action=action, uri=subject, match=match, because=decision.because)
        if decision.failed:
            return RequestRefused(
                uri.AUTHORIZATION_FAILED, "it could not be decided whether this is allowed; try again"
            )
        return RequestRefused(uri.NOT_AUTHORIZED, f"this session may not {action} {subject}")

    def count(self, session: Session, kind: int) -> RequestRefused | None:
        """Count a message against the rates; why it is refused, None if it may pass.

        A session that goes on all the same is ended: what is not acknowledged is
        dropped without a word to its publisher, and that must not last.

        Args:
            session: who sent it.
            kind: which rate; see :mod:`wampgate.core.buckets`.
        """
        exceeded = None if self.buckets is None else self.buckets.exceeded(kind, session)
        return None if exceeded is None else self.excess(session, exceeded)

    def excess(self, session: Session, exceeded: Exceeded) -> RequestRefused | None:
        """Why a message is refused that goes beyond a limit; None if it may pass all the same."""
        # The router's own calls share an authid and an address: clients must not be able to use those up.
        if session.connection is INSIDE:
            return None
        self._realm.counters[f"limit_{exceeded.limit}"] += 1
        session.excess += 1
        if session.excess in (1, self.limits.excess):
            self._realm.record("exceeded", session, limit=exceeded.limit, count=session.excess)
        if session.excess == self.limits.excess:
            self._realm.counters["limit_excess_messages_per_session"] += 1
            self._realm.overdone(session)
        return RequestRefused(uri.LIMIT_EXCEEDED, exceeded.message)

    def limit(self, what: str, limit: int) -> RequestRefused:
        """Why a session gets no more of something that it may have so many of."""
        self._realm.counters[f"limit_{what}_per_session"] += 1
        return RequestRefused(uri.LIMIT_EXCEEDED, f"a session may have {limit} {what} at a time")

    def refuse(self, session: Session, message: Any, refusal: RequestRefused) -> None:
        """Answer a request with ERROR, if its session is still there."""
        if not session.established:
            return
        error = Error(message.code, message.request, {}, refusal.error)
        self._deliver(error, Payload([refusal.message]), (session,))
