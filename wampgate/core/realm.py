"""A realm: routes what established sessions send; owns broker and dealer."""

from __future__ import annotations

from collections import Counter
from time import time
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.broker import Broker
from wampgate.core.calling import Calling
from wampgate.core.dealer import Dealer
from wampgate.core.decisions import Decision
from wampgate.core.errors import JoinRefused, ProtocolViolation, uri
from wampgate.core.gaps import Gap, Gaps
from wampgate.core.histogram import Histogram
from wampgate.core.ids import PublicationIds
from wampgate.core.limits import SessionLimits
from wampgate.core.meta import MetaEvents
from wampgate.core.private import HISTORY_PROCEDURES, OWN_PROCEDURES, PRIVATE, TESTAMENT_PROCEDURES
from wampgate.core.publish_subscribe import PublishSubscribe
from wampgate.core.requests import Requests
from wampgate.core.retained import DEFAULT_BOUNDS, RetainedEvents
from wampgate.core.revocation import Revocations
from wampgate.core.roles import announced
from wampgate.core.testament import Testaments
from wampgate.core.topics import Topics
from wampgate.core.uri import is_reserved
from wampgate.core.visibility import Visibility
from wampgate.wire.messages import (
    Call,
    Cancel,
    Error,
    Publish,
    Register,
    Subscribe,
    Unregister,
    Unsubscribe,
    Yield,
)
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.buckets import Buckets
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.decisions import Action, Pending
    from wampgate.core.gaps import Why
    from wampgate.core.history import History
    from wampgate.core.interfaces import Admission, Authenticator, Authorizer, Deliver, Principal, Record
    from wampgate.core.retained import RetentionBounds
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match, Message


class Realm:
    """One routing and administrative domain; nothing crosses to another one ("Realm").

    Attributes:
        sessions: who has joined, by session id.
        sessions_by_user: the sessions of the token store's users, by user id.
        sessions_by_authid: how many sessions each authid has; counted only where they are limited.
        overdone: told of each session that has sent too much for too long.
        goodbye: ends a session from our side, for a reason (a URI) and with a message, if there is one.
        joined, left: told, in this order, of each session that comes, with the time when it began to, and goes.
        reconsidered: told of each session whose rights may have changed.
        visibility: which sessions each session may see.
        meta: tells of what comes and goes.
        testaments: what sessions leave to be published.
        topics: how each topic is treated.
        history: what is kept of them; None where nothing is.
        roles: what WELCOME announces here.
        gaps: tells sessions what they have missed.
        handlers: what each message of an established session is handed to.
        requests: checks, counts and refuses what sessions ask for.
        record: takes the operator's lines.
        counters: what happened here, by name, for metrics.
        revocation_seconds: how long it took, from hearing of a change of rights to having acted on it.
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
        deadlines: Deadlines,
        limits: SessionLimits | None = None,
        buckets: Buckets | None = None,
        topics: Topics | None = None,
        history: History | None = None,
        retention: RetentionBounds | None = DEFAULT_BOUNDS,
    ) -> None:
        self.name = name
        self.authenticators = authenticators
        self.admission = admission
        self.sessions: dict[int, Session] = {}
        self.sessions_by_user: dict[str, list[Session]] = {}
        self.sessions_by_authid: Counter[str] = Counter()
        self.overdone: Callable[[Session], None] = _unheard
        self.goodbye: Callable[[Session, str, str | None], None] = _unheard
        self.counters: Counter[str] = Counter()
        self.revocation_seconds = Histogram()
        self.topics = topics or Topics()
        self.history = history
        if history is not None:
            history.counters = self.counters
        self.roles = announced(history=history is not None, retention=retention is not None)
        self._retained = None if retention is None else RetainedEvents(self.topics, retention, self.counters)
        self.broker = Broker(deliver, PublicationIds(), self.topics, history=history, retained=self._retained)
        self.gaps = Gaps(self.broker)
        self.dealer = Dealer(deliver, deadlines)
        self._authorizer = authorizer
        self.record = record
        self.visibility = Visibility()
        self.testaments = Testaments(self)
        self.meta = MetaEvents(self, deliver, PublicationIds())
        # Who comes is told of before anything may end it, who goes before anything of it is forgotten.
        self.joined: list[Callable[[Session, float], None]] = [self.meta.joined]
        self.left: list[Callable[[Session], None]] = [self.meta.left]
        self.reconsidered: list[Callable[[Session], None]] = []
        self._revocations = Revocations(self, deliver, record)
        self._received: Counter[str] = Counter()
        self.requests = requests = Requests(self, deliver, limits or SessionLimits(), buckets)
        publish_subscribe = PublishSubscribe(requests, self.broker, self.topics, deliver)
        calling = Calling(requests, self.dealer, deliver)
        self.handlers: dict[type[Message], Callable[[Session, Any, Payload], None]] = {
            Publish: publish_subscribe.publish,
            Subscribe: self._counted(publish_subscribe.subscribe),
            Unsubscribe: self._counted(publish_subscribe.unsubscribe),
            Call: calling.call,
            Cancel: self._counted(calling.cancel),
            Yield: calling.yielded,
            Error: self._counted(calling.failed),
            Register: self._counted(calling.register),
            Unregister: self._counted(calling.unregister),
        }

    def _counted(self, handler: Callable[[Session, Any, Payload], None]) -> Callable[[Session, Any, Payload], None]:
        """A handler of messages that are rare enough to be counted by name; the others count by themselves."""
        received = self._received

        def handle(session: Session, message: Message, payload: Payload) -> None:
            received[type(message).__name__.upper()] += 1
            handler(session, message, payload)

        return handle

    def allowed(self, action: Action) -> int:
        """How often sessions were allowed something, ever."""
        # What was published and called is counted anyway, by those who do it.
        done = {"publish": self.broker.publications - self.requests.inside, "call": self.dealer.calls}
        return done.get(action, 0) + self.counters[f"allowed_{action}"]

    @property
    def received(self) -> Mapping[str, int]:
        """How many messages of each type have come from sessions that have joined, ever; GOODBYE and ABORT left out."""
        requests = self.requests
        return {"PUBLISH": requests.publishes, "CALL": requests.calls, "YIELD": requests.yields, **self._received}

    def adopt(
        self, *, authorizer: Authorizer, admission: Admission, authenticators: Mapping[str, Authenticator]
    ) -> None:
        """Let others decide from now on; who is here is not looked at. See :meth:`reconsider`."""
        self._authorizer = authorizer
        self.admission = admission
        self.authenticators = authenticators

    def limit(self, limits: SessionLimits) -> None:
        """Let sessions hold so much from now on; nobody loses what it holds already."""
        before, self.requests.limits = self.requests.limits, limits
        if limits.sessions_per_authid and not before.sessions_per_authid:
            self.sessions_by_authid.update(session.principal.authid for session in self.sessions.values())
        elif not limits.sessions_per_authid:
            self.sessions_by_authid.clear()

    def treat(self, topics: Topics, history: History | None, retention: RetentionBounds | None) -> None:
        """Treat topics in another way from now on.

        Args:
            topics: the options; what :attr:`topics` is says the same from now on.
            history: keeps events by :attr:`topics`; the same one as before where there was one and there is one still.
            retention: what retained events may take; None for none at all.
        """
        self.topics.become(topics)
        if history is not None:
            history.counters = self.counters
        self.history = history
        if retention is None:
            self._retained = None
        elif self._retained is None:
            self._retained = RetainedEvents(self.topics, retention, self.counters)
        else:
            self._retained.adopt(retention, time())
        self.roles = announced(history=history is not None, retention=retention is not None)
        self.broker.treat(self.topics, history, self._retained)

    def check_place(self, principal: Principal) -> None:
        """See that a principal may have one more session.

        Raises:
            JoinRefused: it has as many as it may have.
        """
        limit = self.requests.limits.sessions_per_authid
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
        if self.requests.limits.sessions_per_authid:
            self.sessions_by_authid[session.principal.authid] += 1
        user = session.principal.user
        if user is not None:
            self.sessions_by_user.setdefault(user, []).append(session)

    def welcomed(self, session: Session, since: float) -> None:
        """Tell those who want to know that a session has its WELCOME.

        Args:
            session: who has joined.
            since: when it began to, by the monotonic clock.
        """
        session.since = since
        self.counters["joined"] += 1
        for joined in self.joined:
            joined(session, since)

    def leave(self, session: Session, reason: str = "") -> None:
        """Let a session go: afterwards nothing here knows it, and what it has left is published.

        Args:
            session: who leaves.
            reason: why it was ended, a URI; empty where it left by itself.
        """
        if self.sessions.pop(session.id, None) is None:
            return
        if self.requests.limits.sessions_per_authid:
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
        self.testaments.read(session, reason)
        for left in self.left:
            left(session)

    def clear(self) -> None:
        """Everyone is about to be sent away: from now on nobody receives anything but histories and outlets."""
        self.meta.stop()
        for session in self.sessions.values():
            self.broker.leave(session)

    def _give_place_back(self, authid: str) -> None:
        self.sessions_by_authid[authid] -= 1
        if not self.sessions_by_authid[authid]:
            del self.sessions_by_authid[authid]

    def receive(self, session: Session, message: Message, payload: Payload) -> None:
        """Route one message of an established session.

        Raises:
            ProtocolViolation: a message that a client may not send now.
        """
        handler = self.handlers.get(type(message))
        if handler is None:
            raise ProtocolViolation(f"a {type(message).__name__.upper()} message was not expected")
        handler(session, message, payload)

    def authorize(self, session: Session, action: Action, subject: str, match: Match) -> Decision | Pending[Decision]:
        """Whether a session may do something on a URI that is valid for its match policy."""
        if action == "call" and subject not in _SELF_DECIDING:
            # As below: a call of its own less for the most frequent question.
            return self._authorizer.authorize(session.principal, action, subject, match)
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
            if subject in TESTAMENT_PROCEDURES:
                return _TESTAMENT
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
        for reconsidered in self.reconsidered:
            reconsidered(session)


def _unheard(*_: object) -> None:
    """No one wants to know."""


_SELF_DECIDING: Final = OWN_PROCEDURES | HISTORY_PROCEDURES | TESTAMENT_PROCEDURES
_RESERVED: Final = Decision(False, "wamp. and wampgate. are the router's own")
_PRIVATE: Final = Decision(True, "what the router tells this session alone")
_OWN: Final = Decision(True, "what every user may ask of its own session")
_TESTAMENT: Final = Decision(True, "whoever may publish on a topic may leave a testament there; that is asked for each")
_HISTORY: Final = Decision(True, "whoever may subscribe to a topic may read its history; that is asked for each call")
