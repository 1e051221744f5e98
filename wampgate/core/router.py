"""The router: from the first byte of WAMP to the last, each session's way through its states ("Sessions")."""

from __future__ import annotations

from collections import Counter
from functools import partial
from math import inf, isinf
from typing import TYPE_CHECKING, Any, Final

from wampgate.core import errors
from wampgate.core.errors import JoinRefused, ProtocolViolation, StoreUnavailable, ending_by_goodbye, ending_of, uri
from wampgate.core.features import taken_by
from wampgate.core.guessing import alone, check_names, guess_of_hello
from wampgate.core.ids import random_id
from wampgate.core.interfaces import NOT_ACCEPTED, Challenge
from wampgate.core.private import EXPIRING
from wampgate.core.session import ESTABLISHED, Joining, Session, State, offered
from wampgate.core.uri import is_uri
from wampgate.wire.messages import Abort, Authenticate, Goodbye, Hello, Welcome
from wampgate.wire.messages import Challenge as ChallengeMessage
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

    from wampgate.core.deadlines import Deadlines
    from wampgate.core.errors import Ending, Farewell
    from wampgate.core.features import RevocationTold
    from wampgate.core.guesses import Guesses
    from wampgate.core.interfaces import (
        Connection,
        Deliver,
        Link,
        Principal,
        Record,
    )
    from wampgate.core.realm import Realm
    from wampgate.wire.messages import Message

NORMAL_CLOSURE: Final = 1000
"""WebSocket close code for a session that ended as it should (RFC 6455, section 7.4.1)."""

PROTOCOL_ERROR: Final = 1002

_MAX_REASON: Final = 123
"""Bytes of a close frame's reason (RFC 6455, section 5.5)."""

_SAME_SECONDS: Final = 1.0
"""Two times of expiry so near are the same one, computed twice."""

GOODBYE_SECONDS: Final = 2.0
"""How long a peer has to answer our GOODBYE before the connection is closed all the same."""


class Router:
    """Opens, watches over and ends the sessions of all realms.

    Args:
        realms: the realms, by name.
        deliver: where messages go.
        record: where the operator's lines go.
        deadlines: the one heap of deadlines.
        run: starts a coroutine; the core awaits only what adapters give it.
        guesses: counts refused logins.
        hello_seconds: from the opened connection to HELLO.
        join_seconds: from the opened connection to WELCOME, HELLO included.
        warn_seconds: how long before its token ends a session is told.
        agent: what WELCOME calls this router.
        goodbye: which endings are told by GOODBYE or ABORT; what a retry can cure is
            a close code alone where it is ``auto``.
        subscription_revocation: which of the clients that announce the feature are sent
            an UNSUBSCRIBED when a subscription is taken away.

    Attributes:
        realms: the realms, by name.
        draining: whether it is on its way out and takes no more sessions.
        counters: what happened to sessions that have not joined, by name, for metrics.
        received: how many messages of each type have come that are not routed: HELLO, AUTHENTICATE, GOODBYE, ABORT.
    """

    def __init__(
        self,
        realms: Iterable[Realm],
        *,
        deliver: Deliver,
        record: Record,
        deadlines: Deadlines,
        run: Callable[[Coroutine[Any, Any, None]], None],
        guesses: Guesses,
        hello_seconds: float = 5.0,
        join_seconds: float = 10.0,
        warn_seconds: float = 60.0,
        agent: str = "wampgate",
        goodbye: Farewell = "auto",
        subscription_revocation: RevocationTold = "auto",
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.draining = False
        self.realms: dict[str, Realm] = {}
        self._deliver = deliver
        self._record = record
        self._deadlines = deadlines
        self._run = run
        self._guesses = guesses
        self._hello_seconds = hello_seconds
        self._join_seconds = join_seconds
        self._warn_seconds = warn_seconds
        self._agent = agent
        self._farewell = goodbye
        self._revocation = subscription_revocation
        # One object for all sessions' deadlines.
        self._when_due = self._due
        for realm in realms:
            self.take(realm)

    # --- what a reload and a shutdown change ---

    def take(self, realm: Realm) -> None:
        """Let sessions join a realm from now on."""
        self.realms[realm.name] = realm
        realm.overdone = self._overdone
        realm.goodbye = self.goodbye

    def adopt(
        self,
        *,
        hello_seconds: float,
        join_seconds: float,
        warn_seconds: float,
        goodbye: Farewell,
        subscription_revocation: RevocationTold,
    ) -> None:
        """Open and end sessions in another way from now on; see the class for the arguments."""
        self._hello_seconds = hello_seconds
        self._join_seconds = join_seconds
        self._warn_seconds = warn_seconds
        self._farewell = goodbye
        self._revocation = subscription_revocation

    # --- what the transport tells ---

    def connected(self, link: Link, connection: Connection) -> Session:
        """A peer is there and may say HELLO."""
        session = Session(link, connection)
        session.deadline = self._deadlines.after(self._hello_seconds, self._when_due, session)
        return session

    def receive(self, session: Session, message: Message, payload: Payload) -> None:
        """A peer sent a message. Never raises for what a peer can do."""
        try:
            if session.state is ESTABLISHED and type(message) is not Goodbye and type(message) is not Abort:
                # As Realm.receive has it, without a call more for each message.
                handler = session.realm.handlers.get(type(message)) or session.realm.receive
                handler(session, message, payload)
            else:
                self._step(session, message)
        except ProtocolViolation as violation:
            self.violated(session, str(violation))

    def violated(self, session: Session, why: str) -> None:
        """A peer broke the protocol: it gets ABORT, its session ends, its connection closes ("Protocol Errors")."""
        if session.state is State.CLOSED:
            return
        self._record("violated", session, why=why)
        self._abort(session, uri.PROTOCOL_VIOLATION, why, PROTOCOL_ERROR)

    def disconnected(self, session: Session) -> None:
        """A peer's connection is gone."""
        self._end(session)

    # --- what the operator, an expired token or a shutdown asks for ---

    def goodbye(self, session: Session, reason: str, message: str | None) -> None:
        """End an established session from our side; its peer has :data:`GOODBYE_SECONDS` to answer.

        Nothing else reaches it any more: the events that wait for it are taken back.

        Args:
            session: who has to go.
            reason: a URI.
            message: one sentence for the peer; None for none.
        """
        if session.state is not State.ESTABLISHED:
            return
        for subscription in session.subscriptions or ():
            self._deliver.retract(session, subscription)
        code = ending_by_goodbye(reason).code
        if self._farewell == "never":
            self._close(session, code, reason)
            return
        details = {} if message is None else {"message": message}
        self._deliver(Goodbye(details, reason), NO_PAYLOAD, (session,))
        self._end(session, State.CLOSING, reason)
        session.deadline = self._deadlines.after(GOODBYE_SECONDS, lambda: self._close(session, code, reason))

    def expire(self, session: Session, when: float) -> None:
        """End an established session at a time of the monotonic clock; infinity for never."""
        if session.state is not State.ESTABLISHED:
            return
        if session.expires is not None and abs(session.expires - when) < _SAME_SECONDS:
            return
        session.expires = when
        if isinf(when):
            self._deadlines.cancel(session.deadline)
            session.deadline = None
        elif when - self._deadlines.now() > self._warn_seconds:
            self._wait(session, when - self._warn_seconds)
        else:
            self._wait(session, when)

    def _wait(self, session: Session, when: float) -> None:
        """Look at a session at a time of the monotonic clock, and not before, unless it ends."""
        if session.deadline is None or session.deadline.callback is None:
            session.deadline = self._deadlines.at(when, self._when_due, session)
        else:
            session.deadline = self._deadlines.move(session.deadline, when)

    def _due(self, session: Session) -> None:
        """A session's time is over, or soon will be: what that means depends on its state."""
        if session.state is not State.ESTABLISHED:
            self._late(session)
        elif session.expires is not None and session.expires > self._deadlines.now():
            self._warn(session, session.expires)
        else:
            self.goodbye(session, uri.TOKEN_EXPIRED, "the token has expired")

    def _warn(self, session: Session, when: float) -> None:
        """Tell a session that its token ends soon; then wait for the end."""
        self._wait(session, when)
        session.realm.tell(session, EXPIRING, {"seconds": self.seconds_until(when)})

    def seconds_until(self, when: float) -> float:
        """How long it is until a time of the monotonic clock, in seconds."""
        return max(0.0, when - self._deadlines.now())

    def shut(self, session: Session, code: int, reason: str) -> None:
        """End a session for a reason that a retry can cure: the connection closes, without a GOODBYE.

        Autobahn JS never comes back after a GOODBYE, but after a close code it does.
        """
        if self._farewell == "always" and session.state is State.ESTABLISHED:
            self._deliver(Goodbye({}, reason), NO_PAYLOAD, (session,))
        self._close(session, code, reason)

    # --- the states ---

    def _step(self, session: Session, message: Message) -> None:
        """Take a message that is not routed: the table of states, by what each one waits for."""
        self.received[type(message).__name__.upper()] += 1
        match session.state, message:
            case State.OPENING, Hello():
                self._hello(session, message)
            case State.CHALLENGING, Authenticate():
                self._authenticate(session, message)
            case State.ESTABLISHED, Goodbye():
                self._deliver(Goodbye({}, uri.GOODBYE_AND_OUT), NO_PAYLOAD, (session,))
                self._end(session)
                session.link.close(NORMAL_CLOSURE, uri.GOODBYE_AND_OUT)
            case State.CLOSING, Goodbye():
                self._close(session, NORMAL_CLOSURE, uri.GOODBYE_AND_OUT)
            case ((State.OPENING | State.AUTHENTICATING | State.CHALLENGING | State.ESTABLISHED), Abort()):
                self._close(session, NORMAL_CLOSURE, errors.ABORTED.reason)
            case ((State.CLOSING | State.CLOSED), _):
                # What was sent before our GOODBYE arrived has no effect any more.
                pass
            case state, _:
                what = type(message).__name__.upper()
                raise ProtocolViolation(f"a {what} message was not expected: this session {state.value}")

    def _hello(self, session: Session, message: Hello) -> None:
        session.state = State.AUTHENTICATING
        self._allow_until_joined(session)
        roles = message.details.roles
        if not (roles.publisher or roles.subscriber or roles.caller or roles.callee):
            raise ProtocolViolation("HELLO.Details.roles names no role of a client")
        if self.draining:
            self._refuse(session, errors.SHUTDOWN, "the router is shutting down; come back in a moment")
            return
        realm = self.realms.get(message.realm)
        if realm is None:
            reason = errors.NO_SUCH_REALM.reason
            # Without its name: clients have been seen to put a token there.
            self._record("join_refused", session, error=reason, because="it names a realm that is not here")
            if is_uri(message.realm):
                self._refuse(session, errors.NO_SUCH_REALM, "there is no such realm here")
            else:
                self._refuse(session, errors.INVALID_REALM, "the realm is not a URI")
            return
        methods = offered(message.details.authmethods, session.connection)
        authenticator = next(
            (realm.authenticators[method] for method in methods if method in realm.authenticators), None
        )
        if authenticator is None:
            self._no_method(session, methods, realm)
            return
        session.joining = Joining(realm, message.details, authenticator, self._deadlines.now())
        guess = guess_of_hello(session, authenticator.authmethod)
        if guess is None:
            self._run(self._ask(session, authenticator.hello(message.details, session.connection)))
        else:
            self._attempt(session, guess, None)

    def _allow_until_joined(self, session: Session) -> None:
        """From HELLO's deadline to WELCOME's; both count from the opened connection."""
        opened = self._deadlines.now() if session.deadline is None else session.deadline.when - self._hello_seconds
        self._wait(session, opened + self._join_seconds)

    def _no_method(self, session: Session, methods: tuple[str, ...], realm: Realm) -> None:
        accepted = ", ".join(realm.authenticators) or "none"
        self._record("join_refused", session, because=f"accepted: {accepted}; offered: {', '.join(map(repr, methods))}")
        if set(methods) <= {"anonymous"}:
            self._refuse(session, errors.NO_TOKEN, "a token is required to join this realm")
        else:
            why = f"none of the offered authmethods is accepted; accepted: {accepted}"
            self._refuse(session, errors.NO_METHOD, why)

    def _authenticate(self, session: Session, message: Authenticate) -> None:
        joining = session.joining
        if joining is None or joining.challenge is None:  # the state rules it out; mypy can't know
            raise ProtocolViolation("no challenge was sent")
        session.state = State.AUTHENTICATING
        # Equal tickets need one look-up; equal answers to different challenges are guesses of their own.
        guess = message.signature if joining.challenge.method == "ticket" else alone(session)
        self._attempt(session, guess, message)

    def _attempt(self, session: Session, guess: str, answer: Authenticate | None) -> None:
        """Have a token, or an answer, looked at, as soon as its address may have one more looked at.

        Args:
            session: whose it is.
            guess: what counts as one guess.
            answer: to the challenge; None where HELLO's own connection brought a token.
        """
        self._guesses.attempt(session.connection.network, guess, partial(self._check, session, guess, answer))

    def _check(self, session: Session, guess: str, answer: Authenticate | None) -> None:
        """It is a guess's turn: have it looked at, if it is still wanted."""
        joining = session.joining
        if session.state is not State.AUTHENTICATING or joining is None or self._is_guessing(session):
            self._guesses.ended(session.connection.network, guess)
        elif answer is None or joining.challenge is None:
            self._run(self._ask(session, joining.authenticator.hello(joining.details, session.connection), guess))
        else:
            step = joining.authenticator.authenticate(
                joining.details, joining.challenge, answer.signature, answer.extra
            )
            self._run(self._ask(session, step, guess))

    def _is_guessing(self, session: Session) -> bool:
        """Whether the address has to wait before one more of its tokens is looked at; it is refused then."""
        limit = self._guesses.exhausted(session.connection.network)
        if limit is None:
            return False
        self.counters[f"limit_{limit}"] += 1
        # Not told apart from a wrong token: who guesses must not learn when to go on.
        log = f"too many refused logins from this address: limits.{limit}"
        method = "ticket" if session.joining is None else session.joining.authenticator.authmethod
        self._refuse_join(session, uri.AUTHENTICATION_DENIED, _NOT_ACCEPTED.get(method, NOT_ACCEPTED), log)
        return True

    async def _ask(self, session: Session, step: Awaitable[Challenge | Principal], guess: str | None = None) -> None:
        """Await one step of the authentication and go on from there, if the peer is still there.

        Args:
            session: who is to join.
            step: the authenticator's.
            guess: what it counts as, until it is done; None for nothing.
        """
        network = session.connection.network
        try:
            outcome = await step
            if session.state is not State.AUTHENTICATING or session.joining is None:
                return
            if isinstance(outcome, Challenge):
                self._challenge(session, session.joining, outcome)
            else:
                await self._admit(session, session.joining, outcome)
        except JoinRefused as refusal:
            if refusal.error == uri.AUTHENTICATION_DENIED:
                self._guesses.failed(session.connection.network)
            self._refuse_join(session, refusal.error, refusal.message, refusal.log)
        except StoreUnavailable as failure:
            self._unavailable(session, str(failure))
        except Exception as error:  # noqa: BLE001 - an authenticator's bug must refuse, not leave the peer hanging
            self._unavailable(session, type(error).__name__)
        finally:
            if guess is not None:
                self._guesses.ended(network, guess)

    def _challenge(self, session: Session, joining: Joining, challenge: Challenge) -> None:
        joining.challenge = challenge
        session.state = State.CHALLENGING
        self._deliver(ChallengeMessage(challenge.method, dict(challenge.extra)), NO_PAYLOAD, (session,))

    async def _admit(self, session: Session, joining: Joining, principal: Principal) -> None:
        asked = joining.details.authextra or {}
        if principal.organization is not None:
            asked = {**asked, "organization": principal.organization}
        authextra = await joining.realm.admission.admit(principal, asked)
        if session.state is not State.AUTHENTICATING:
            return
        realm = joining.realm
        check_names(principal)
        realm.check_place(principal)
        promised = None if joining.challenge is None else joining.challenge.session
        session.joining = None
        session.principal = principal
        session.connection = session.connection.without_token()
        session.realm = realm
        session.id = promised or random_id()
        while session.id in realm.sessions:
            session.id = random_id()
        session.state = State.ESTABLISHED
        session.features = taken_by(joining.details.roles, session.connection.agent, self._revocation)
        self.expire(session, inf if principal.expires is None else principal.expires)
        realm.join(session)
        self._deliver(Welcome(session.id, self._details(session, authextra)), NO_PAYLOAD, (session,))
        self._record("joined", session)
        # What changed meanwhile may end the session at once: GOODBYE must not come before WELCOME.
        realm.welcomed(session, joining.since)

    def _details(self, session: Session, authextra: Mapping[str, Any]) -> dict[str, Any]:
        """What WELCOME tells a session of itself and of its realm."""
        principal = session.principal
        return {
            "realm": session.realm.name,
            "authid": principal.authid,
            "authrole": principal.authrole,
            "authmethod": principal.authmethod,
            "authprovider": principal.authprovider,
            "authextra": {**principal.extra, **authextra},
            "roles": session.realm.roles,
            "agent": self._agent,
        }

    def _refuse_join(self, session: Session, error: str, message: str, log: str) -> None:
        if session.state is State.CLOSED:
            return
        self._record("join_refused", session, error=error, because=log or message)
        self._refuse(session, ending_of(error), message)

    def _unavailable(self, session: Session, log: str) -> None:
        """Refuse a join for our own fault: the client should try again."""
        if session.state is State.CLOSED:
            return
        self._record("join_refused", session, error=errors.STORE_DOWN.reason, because=log)
        self._refuse(session, errors.STORE_DOWN, "it can't be checked now who you are; try again")

    def _refuse(self, session: Session, ending: Ending, message: str) -> None:
        """End a session that has not joined: with ABORT, unless a close code alone is to be sent."""
        if self._farewell == "always" or (self._farewell == "auto" and not ending.curable):
            self._abort(session, ending.reason, message, ending.code)
        else:
            self._close(session, ending.code, ending.reason)

    # --- ends ---

    def _overdone(self, session: Session) -> None:
        self.shut(session, errors.OVERLOAD.code, errors.OVERLOAD.reason)

    def _late(self, session: Session) -> None:
        opening = session.state is State.OPENING
        self.counters["limit_hello_seconds" if opening else "limit_join_seconds"] += 1
        what = "HELLO" if opening else "the answer"
        self._record("join_refused", session, because=f"{what} did not come in time")
        if session.state is State.OPENING:
            self._close(session, errors.NO_HELLO.code, errors.NO_HELLO.reason)
        elif session.state is State.CHALLENGING:
            self._refuse(session, errors.NO_ANSWER, "the answer to CHALLENGE did not come in time")
        else:
            self._refuse(session, errors.STORE_DOWN, "joining took too long; try again")

    def _abort(self, session: Session, error: str, message: str, code: int) -> None:
        self._deliver(Abort({"message": message}, error), NO_PAYLOAD, (session,))
        self._close(session, code, error)

    def _close(self, session: Session, code: int, reason: str) -> None:
        self._end(session, reason=reason)
        # An administrator's reason may be longer than a close frame's.
        session.link.close(code, reason.encode()[:_MAX_REASON].decode(errors="ignore"))

    def _end(self, session: Session, state: State = State.CLOSED, reason: str = "") -> None:
        """Let go of everything a session holds; nothing it sent and nothing it is sent counts any more."""
        before, session.state = session.state, state
        self._deadlines.cancel(session.deadline)
        session.deadline = None
        session.joining = None
        if before is State.ESTABLISHED:
            session.realm.leave(session, reason)
            self._record("left", session, reason=reason)


_NOT_ACCEPTED: Final = {"ticket": "the token is not accepted", "cookie": "the session cookie is not accepted"}
"""What methods say that have words of their own for a wrong guess."""
