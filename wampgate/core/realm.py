"""A realm: routes what established sessions send; owns broker and dealer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.broker import Broker
from wampgate.core.buckets import CALLS, PUBLISHES, SUBSCRIBES
from wampgate.core.dealer import Dealer
from wampgate.core.decisions import Decision
from wampgate.core.errors import JoinRefused, ProtocolViolation, RequestRefused, uri
from wampgate.core.gaps import Gap, Gaps
from wampgate.core.ids import PublicationIds
from wampgate.core.inbox import Inbox
from wampgate.core.limits import SessionLimits
from wampgate.core.private import HISTORY_PROCEDURES, OWN_PROCEDURES, PRIVATE
from wampgate.core.revocation import Revocations
from wampgate.core.roles import announced
from wampgate.core.topics import Topics
from wampgate.core.uri import is_pattern, is_reserved, is_uri
from wampgate.wire.messages import (
    Call,
    Error,
    Invocation,
    Publish,
    Published,
    Register,
    Registered,
    Subscribe,
    Subscribed,
    Unregister,
    Unregistered,
    Unsubscribe,
    Unsubscribed,
    Yield,
)
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.buckets import Buckets
    from wampgate.core.decisions import Action, Pending
    from wampgate.core.gaps import Why
    from wampgate.core.history import History
    from wampgate.core.interfaces import Admission, Authenticator, Authorizer, Deliver, Principal, Record
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match, Message


class Realm:
    """One routing and administrative domain; nothing crosses to another one ("Realm").

    Attributes:
        sessions: who has joined, by session id.
        sessions_by_user: the sessions of the token store's users, by user id.
        sessions_by_authid: how many sessions each authid has; counted only where they are limited.
        overdone: told of each session that has sent too much for too long.
        goodbye: ends a session from our side, for a reason (a URI) and with a message.
        joined, left: told of each session that comes, with the time when it began to, and goes.
        topics: how each topic is treated.
        history: what is kept of them; None where nothing is.
        roles: what WELCOME announces here.
        gaps: tells sessions what they have missed.
        record: takes the operator's lines.
        counters: what happened here, by name, for metrics.
    """

    def __init__(
        self,
        name: str,
        *,
        deliver: Deliver,
        authorizer: Authorizer,
        admission: Admission,
        authenticators: Mapping[str, Authenticator],
        record: Record,
        limits: SessionLimits | None = None,
        buckets: Buckets | None = None,
        topics: Topics | None = None,
        history: History | None = None,
    ) -> None:
        self.name = name
        self.authenticators = authenticators
        self.admission = admission
        self.sessions: dict[int, Session] = {}
        self.sessions_by_user: dict[str, list[Session]] = {}
        self.sessions_by_authid: Counter[str] = Counter()
        self.overdone: Callable[[Session], None] = _unheard
        self.goodbye: Callable[[Session, str, str], None] = _unheard
        self.joined: Callable[[Session, float], None] = _unheard
        self.left: Callable[[Session], None] = _unheard
        self.counters: Counter[str] = Counter()
        self.topics = topics or Topics()
        self.history = history
        if history is not None:
            history.counters = self.counters
        self.roles = announced(history=history is not None)
        self.broker = Broker(deliver, PublicationIds(), self.topics, history=history)
        self.gaps = Gaps(self.broker)
        self.dealer = Dealer(deliver)
        self._deliver = deliver
        self._authorizer = authorizer
        self.record = record
        self._revocations = Revocations(self, deliver, record)
        self._limits = limits or SessionLimits()
        self._buckets = buckets
        self._handlers: dict[type[Message], Callable[[Session, Any, Payload], None]] = {
            Publish: self._publish,
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            Call: self._call,
            Yield: self._yield,
            Error: self._error,
            Register: self._register,
            Unregister: self._unregister,
        }

    def check_place(self, principal: Principal) -> None:
        """See that a principal may have one more session.

        Raises:
            JoinRefused: it has as many as it may have.
        """
        limit = self._limits.sessions_per_authid
        if limit and self.sessions_by_authid[principal.authid] >= limit:
            self.counters["limit_sessions_per_authid"] += 1
            raise JoinRefused(
                uri.LIMIT_EXCEEDED,
                f"there are {limit} sessions under this authid already: end one of them first",
                f"limits.sessions_per_authid is reached by {principal.authid!r}",
            )

    def join(self, session: Session) -> None:
        """Take in a session that has its id and its principal; :attr:`joined` is told once it has its WELCOME."""
        self.sessions[session.id] = session
        if self._limits.sessions_per_authid:
            self.sessions_by_authid[session.principal.authid] += 1
        user = session.principal.user
        if user is not None:
            self.sessions_by_user.setdefault(user, []).append(session)

    def leave(self, session: Session) -> None:
        """Let a session go: afterwards nothing here knows it."""
        if self.sessions.pop(session.id, None) is None:
            return
        if self._limits.sessions_per_authid:
            self._give_place_back(session.principal.authid)
        user = session.principal.user
        if user is not None:
            theirs = self.sessions_by_user[user]
            theirs.remove(session)
            if not theirs:
                del self.sessions_by_user[user]
        if session.inbox is not None:
            session.inbox.clear()
        self.broker.leave(session)
        self.dealer.leave(session)
        self.left(session)

    def _give_place_back(self, authid: str) -> None:
        self.sessions_by_authid[authid] -= 1
        if not self.sessions_by_authid[authid]:
            del self.sessions_by_authid[authid]

    def receive(self, session: Session, message: Message, payload: Payload) -> None:
        """Route one message of an established session.

        Raises:
            ProtocolViolation: a message that a client may not send now.
        """
        handler = self._handlers.get(type(message))
        if handler is None:
            raise ProtocolViolation(f"a {type(message).__name__.upper()} message was not expected")
        handler(session, message, payload)

    def authorize(self, session: Session, action: Action, subject: str, match: Match) -> Decision | Pending[Decision]:
        """Whether a session may do something on a URI that is valid for its match policy."""
        return self.authorize_principal(session.principal, action, subject, match)

    def authorize_principal(
        self, principal: Principal, action: Action, subject: str, match: Match
    ) -> Decision | Pending[Decision]:
        """The same for someone who need not be here."""
        if action in ("publish", "register"):
            if is_reserved(subject, match):
                return _RESERVED
        elif action == "subscribe" and match == "exact" and subject in PRIVATE:
            return _PRIVATE
        elif action == "call" and subject in _SELF_DECIDING:
            if subject in HISTORY_PROCEDURES:
                return _HISTORY
            if principal.user is not None:
                return _OWN
        return self._authorizer.authorize(principal, action, subject, match)

    def tell(self, session: Session, topic: str, kwargs: Mapping[str, Any]) -> None:
        """Send a session an event that is for it alone, if it has subscribed to the topic."""
        self.broker.tell(session, topic, Payload((), kwargs))

    def tell_gap(
        self, session: Session, topic: str, match: Match, *, since: float, why: Why, dropped: int | None = None
    ) -> bool:
        """Tell a session of events that it missed, if it has subscribed to ``wampgate.gap``: whether it has.

        See :class:`wampgate.core.gaps.Gap` for the arguments.
        """
        return self.gaps.tell(session, Gap(topic, match, since, why, dropped))

    def reconsider(self, session: Session) -> None:
        """Let go of what a session's rights no longer allow, and ask anew for what it waits for; see ``revocation``."""
        self._revocations.reconsider(session)

    # --- requests that need a decision ---

    def _publish(self, session: Session, message: Publish, payload: Payload) -> None:
        self._begin(session, message)
        if self._buckets is not None and (excess := self.count(session, PUBLISHES)) is not None:
            self._refuse_publish(session, message, excess)
            return
        if not is_uri(message.topic):
            self._refuse_publish(session, message, _INVALID)
            return
        answer = self.authorize(session, "publish", message.topic, "exact")
        if type(answer) is Decision and (session.inbox is None or not session.inbox.has(Publish)):
            self._published(session, message, payload, answer)
        else:
            self._wait(
                session,
                message,
                answer,
                ask=lambda: self.authorize(session, "publish", message.topic, "exact"),
                act=lambda yes: self._published(session, message, payload, yes),
            )

    def _published(self, session: Session, message: Publish, payload: Payload, decision: Decision) -> None:
        if not decision.allowed:
            self._refuse_publish(session, message, self.refusal(session, "publish", message.topic, "exact", decision))
            return
        options = message.options
        if options.opaque:
            self._refuse_publish(session, message, _OPAQUE)
            return
        try:
            publication = self.broker.publish(session, message.topic, options, payload, decision.disclose)
        except RequestRefused as refusal:
            self._refuse_publish(session, message, refusal)
            return
        if options.acknowledge:
            self._deliver(Published(message.request, publication), NO_PAYLOAD, (session,))

    def _subscribe(self, session: Session, message: Subscribe, _: Payload) -> None:
        self._begin(session, message)
        if self._buckets is not None and (excess := self.count(session, SUBSCRIBES)) is not None:
            self._refuse(session, message, excess)
            return
        match = message.options.match
        if not is_pattern(message.topic, match):
            self._refuse(session, message, _INVALID)
            return
        answer = self.authorize(session, "subscribe", message.topic, match)
        if type(answer) is Decision and (session.inbox is None or not session.inbox.has(Subscribe)):
            self._subscribed(session, message, answer)
        else:
            self._wait(
                session,
                message,
                answer,
                ask=lambda: self.authorize(session, "subscribe", message.topic, match),
                act=lambda yes: self._subscribed(session, message, yes),
            )

    def _subscribed(self, session: Session, message: Subscribe, decision: Decision) -> None:
        match = message.options.match
        if not decision.allowed:
            self._refuse(session, message, self.refusal(session, "subscribe", message.topic, match, decision))
        elif session.subscriptions is not None and len(session.subscriptions) >= self._limits.subscriptions:
            self._refuse(session, message, self._limit("subscriptions", self._limits.subscriptions))
        else:
            subscription = self.broker.subscribe(session, message.topic, match)
            self._deliver(Subscribed(message.request, subscription.id), NO_PAYLOAD, (session,))

    def _call(self, session: Session, message: Call, payload: Payload) -> None:
        self._begin(session, message)
        if self._buckets is not None and (excess := self.count(session, CALLS)) is not None:
            self._refuse(session, message, excess)
            return
        if not is_uri(message.procedure):
            self._refuse(session, message, _INVALID)
            return
        answer = self.authorize(session, "call", message.procedure, "exact")
        if type(answer) is Decision and (session.inbox is None or not session.inbox.has(Call)):
            self._called(session, message, payload, answer)
        else:
            self._wait(
                session,
                message,
                answer,
                ask=lambda: self.authorize(session, "call", message.procedure, "exact"),
                act=lambda yes: self._called(session, message, payload, yes),
            )

    def _called(self, session: Session, message: Call, payload: Payload, decision: Decision) -> None:
        if not decision.allowed:
            self._refuse(session, message, self.refusal(session, "call", message.procedure, "exact", decision))
        elif session.calls is not None and len(session.calls) >= self._limits.calls:
            self._refuse(session, message, self._limit("calls", self._limits.calls))
        elif message.options.opaque:
            self._refuse(session, message, _OPAQUE)
        else:
            try:
                self.dealer.call(session, message, payload, decision.disclose)
            except RequestRefused as refusal:
                self._refuse(session, message, refusal)

    def _register(self, session: Session, message: Register, _: Payload) -> None:
        self._begin(session, message)
        if self._buckets is not None and (excess := self.count(session, SUBSCRIBES)) is not None:
            self._refuse(session, message, excess)
            return
        match = message.options.match
        if not is_pattern(message.procedure, match):
            self._refuse(session, message, _INVALID)
            return
        answer = self.authorize(session, "register", message.procedure, match)
        if type(answer) is Decision and (session.inbox is None or not session.inbox.has(Register)):
            self._registered(session, message, answer)
        else:
            self._wait(
                session,
                message,
                answer,
                ask=lambda: self.authorize(session, "register", message.procedure, match),
                act=lambda yes: self._registered(session, message, yes),
            )

    def _registered(self, session: Session, message: Register, decision: Decision) -> None:
        match = message.options.match
        if not decision.allowed:
            self._refuse(session, message, self.refusal(session, "register", message.procedure, match, decision))
        elif session.registrations is not None and len(session.registrations) >= self._limits.registrations:
            self._refuse(session, message, self._limit("registrations", self._limits.registrations))
        else:
            try:
                registration = self.dealer.register(session, message.procedure, message.options)
            except RequestRefused as refusal:
                self._refuse(session, message, refusal)
                return
            self._deliver(Registered(message.request, registration.id), NO_PAYLOAD, (session,))

    # --- messages that never wait ---

    def _unsubscribe(self, session: Session, message: Unsubscribe, _: Payload) -> None:
        self._begin(session, message)
        try:
            self.broker.unsubscribe(session, message.subscription)
        except RequestRefused as refusal:
            self._refuse(session, message, refusal)
            return
        self._deliver(Unsubscribed(message.request), NO_PAYLOAD, (session,))

    def _unregister(self, session: Session, message: Unregister, _: Payload) -> None:
        self._begin(session, message)
        try:
            self.dealer.unregister(session, message.registration)
        except RequestRefused as refusal:
            self._refuse(session, message, refusal)
            return
        self._deliver(Unregistered(message.request), NO_PAYLOAD, (session,))

    def _yield(self, session: Session, message: Yield, payload: Payload) -> None:
        if message.options.progress:
            raise ProtocolViolation("a progressive result was sent though none was asked for")
        self.dealer.yielded(session, message, payload)

    def _error(self, session: Session, message: Error, payload: Payload) -> None:
        if message.request_type != Invocation.code:
            raise ProtocolViolation(f"an ERROR answers INVOCATION ({Invocation.code}), not {message.request_type}")
        if not is_uri(message.error):
            message.error = uri.INVALID_URI
        self.dealer.failed(session, message, payload)

    # --- what they share ---

    def _begin(self, session: Session, message: Any) -> None:
        """Check a request's id ("IDs"): a pending one may not come again; a gap is taken and counted.

        Autobahn Python leaves out an id when a message could not be serialized.
        """
        request: int = message.request
        if (session.calls is not None and request in session.calls) or (
            session.inbox is not None and request in session.inbox.requests
        ):
            raise ProtocolViolation(f"the request id {request} is in use")
        if request != session.last_request + 1:
            self.counters["request_id_gaps"] += 1
        session.last_request = request

    def _wait(
        self,
        session: Session,
        message: Publish | Subscribe | Call | Register,
        answer: Decision | Pending[Decision],
        *,
        ask: Callable[[], Decision | Pending[Decision]],
        act: Callable[[Decision], None],
    ) -> None:
        if session.inbox is None:
            session.inbox = Inbox()
        inbox = session.inbox

        def act_if_still_here(decision: Decision) -> None:
            if not session.established:
                return
            act(decision)
            if len(inbox) == self._limits.inbox // 2:
                session.link.resume()

        inbox.wait(type(message), message.request, answer, ask=ask, act=act_if_still_here)
        if len(inbox) == self._limits.inbox:
            self.counters["limit_inbox_messages"] += 1
            session.link.pause()

    def refusal(
        self, session: Session, action: Action, subject: str, match: Match, decision: Decision
    ) -> RequestRefused:
        """What a session is told that was refused something; the log is told the reason, once for each refusal."""
        self.counters["refused"] += 1
        self.record("refused", session, action=action, uri=subject, match=match, because=decision.because)
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
        if self._buckets is None:
            return None
        exceeded = self._buckets.exceeded(kind, session)
        if exceeded is None:
            return None
        self.counters[f"limit_{exceeded.limit}"] += 1
        session.excess += 1
        if session.excess in (1, self._limits.excess):
            self.record("exceeded", session, limit=exceeded.limit, count=session.excess)
        if session.excess == self._limits.excess:
            self.counters["limit_excess_messages_per_session"] += 1
            self.overdone(session)
        return RequestRefused(uri.LIMIT_EXCEEDED, exceeded.message)

    def _limit(self, what: str, limit: int) -> RequestRefused:
        self.counters[f"limit_{what}_per_session"] += 1
        return RequestRefused(uri.LIMIT_EXCEEDED, f"a session may have {limit} {what} at a time")

    def _refuse(self, session: Session, message: Any, refusal: RequestRefused) -> None:
        if not session.established:
            return
        error = Error(message.code, message.request, {}, refusal.error)
        self._deliver(error, Payload([refusal.message]), (session,))

    def _refuse_publish(self, session: Session, message: Publish, refusal: RequestRefused) -> None:
        # A publication that isn't acknowledged fails in silence ("Publish ERROR").
        if message.options.acknowledge:
            self._refuse(session, message, refusal)


_INVALID: Final = RequestRefused(
    uri.INVALID_URI, "components are separated by dots, not empty, without whitespace, '#' and control characters"
)


def _unheard(*_: object) -> None:
    """No one wants to know."""


_SELF_DECIDING: Final = OWN_PROCEDURES | HISTORY_PROCEDURES
_RESERVED: Final = Decision(False, "wamp. and wampgate. are the router's own")
_PRIVATE: Final = Decision(True, "what the router tells this session alone")
_OWN: Final = Decision(True, "what every user may ask of its own session")
_HISTORY: Final = Decision(True, "whoever may subscribe to a topic may read its history; that is asked for each call")
_OPAQUE: Final = RequestRefused(uri.FEATURE_NOT_SUPPORTED, "this router does not announce payload passthru mode")
