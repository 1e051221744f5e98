"""What sessions send to the dealer: CALL, CANCEL, REGISTER, UNREGISTER and the answers to INVOCATION."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wampgate.core.buckets import CALLS, SUBSCRIBES
from wampgate.core.decisions import Decision
from wampgate.core.errors import ProtocolViolation, RequestRefused, uri
from wampgate.core.features import CALLER_PASSTHRU, CALLER_PROGRESSIVE_INVOCATIONS
from wampgate.core.passthru import check_announced
from wampgate.core.requests import INVALID
from wampgate.core.uri import is_pattern, is_uri
from wampgate.wire.messages import Call, Error, Invocation, Registered, Unregistered
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from wampgate.core.dealer import Dealer
    from wampgate.core.inbox import Inbox
    from wampgate.core.interfaces import Deliver
    from wampgate.core.requests import Requests
    from wampgate.core.session import Session
    from wampgate.wire.messages import CallOptions, Cancel, Register, Unregister, Yield


class Calling:
    """The dealer's side of a realm ("Remote Procedure Calls")."""

    def __init__(self, requests: Requests, dealer: Dealer, deliver: Deliver) -> None:
        self._requests = requests
        self._authorize = requests.authorize
        self._dealer = dealer
        self._deliver = deliver

    def call(self, session: Session, message: Call, payload: Payload) -> None:
        """CALL: one RESULT or ERROR ends it.

        Raises:
            ProtocolViolation: it needs a feature that this session has not announced, or its id is in use.
        """
        requests = self._requests
        requests.calls += 1
        if message.request <= session.last_request and self._continued(session, message, payload):
            return
        requests.begin(session, message)
        options = message.options
        if options.progress or options.ppt_scheme or options.enc_algo is not None:
            _check_announced(session, options)
        buckets = requests.buckets
        exceeded = None if buckets is None else buckets.exceeded(CALLS, session)
        if exceeded is not None and (excess := requests.excess(session, exceeded)) is not None:
            requests.refuse(session, message, excess)
        elif not is_uri(message.procedure):
            requests.refuse(session, message, INVALID)
        else:
            # As Requests.decide has it, but without making what only those need that wait.
            answer = self._authorize(session, "call", message.procedure, "exact")
            if type(answer) is Decision and (session.inbox is None or not session.inbox.has(Call)):
                self._called(session, message, payload, answer)
            else:
                ask = partial(self._authorize, session, "call", message.procedure, "exact")
                requests.wait(session, message, answer, ask, partial(self._called, session, message, payload))
            if options.progress and session.inbox is not None and message.request in session.inbox.requests:
                session.inbox.early[message.request] = [(message, payload)]

    def _called(self, session: Session, message: Call, payload: Payload, decision: Decision) -> None:
        requests = self._requests
        if not decision.allowed:
            requests.refuse(session, message, requests.refusal(session, "call", message.procedure, "exact", decision))
        elif session.calls is not None and len(session.calls) >= requests.limits.calls:
            requests.allowed("call")
            requests.refuse(session, message, requests.limit("calls", requests.limits.calls))
        else:
            try:
                self._dealer.call(session, message, payload, decision.disclose)
            except RequestRefused as refusal:
                if refusal.error == uri.NO_SUCH_PROCEDURE:
                    # All others the dealer has counted.
                    requests.allowed("call")
                requests.refuse(session, message, refusal)
        if session.inbox is not None and message.request in session.inbox.early:
            self._go_on_with_early(session, session.inbox, message.request)

    def _continued(self, session: Session, message: Call, payload: Payload) -> bool:
        """Take more of a call that is under way, or was: whether this is that ("Verification of CALL Request IDs")."""
        if not session.features & CALLER_PROGRESSIVE_INVOCATIONS:
            return False
        if session.inbox is not None and message.request in session.inbox.requests:
            self._take_early(session, session.inbox, message, payload)
        elif session.calls is not None and message.request in session.calls:
            self._go_on(session, message, payload)
        # Otherwise the call has ended, which its caller did not know yet.
        return True

    def _go_on(self, session: Session, message: Call, payload: Payload) -> None:
        excess = self._requests.count(session, CALLS)
        if excess is None:
            self._dealer.go_on(session, message, payload)
        else:
            self._dealer.end_streaming(session, message.request, excess)

    def _take_early(self, session: Session, inbox: Inbox, message: Call, payload: Payload) -> None:
        """Keep what follows a CALL that still waits for its decision.

        Raises:
            ProtocolViolation: nothing more of that id was to come, or it is that of something else.
        """
        early = inbox.early.get(message.request)
        if early is None or not early[-1][0].options.progress or early[0][0].procedure != message.procedure:
            raise ProtocolViolation(f"the request id {message.request} is in use")
        if sum(map(len, inbox.early.values())) - len(inbox.early) < self._requests.limits.inbox:
            early.append((message, payload))
        elif inbox.withdraw(Call, message.request):
            del inbox.early[message.request]
            self._requests.refuse(session, message, self._requests.limit("inbox_messages", self._requests.limits.inbox))

    def _go_on_with_early(self, session: Session, inbox: Inbox, request: int) -> None:
        for message, payload in inbox.early.pop(request)[1:]:
            if session.calls is not None and request in session.calls:
                self._go_on(session, message, payload)

    def cancel(self, session: Session, message: Cancel, _: Payload) -> None:
        """CANCEL: never waits, not even for the CALL that it cancels ("Call Canceling")."""
        if session.inbox is not None and session.inbox.withdraw(Call, message.request):
            session.inbox.early.pop(message.request, None)
            canceled = Error(Call.code, message.request, {}, uri.CANCELED)
            self._deliver(canceled, Payload(["the caller canceled the call"]), (session,))
        else:
            self._dealer.cancel(session, message.request, message.options.mode or "killnowait")

    def register(self, session: Session, message: Register, _: Payload) -> None:
        """REGISTER: from REGISTERED on, the calls of a procedure."""
        requests = self._requests
        requests.begin(session, message)
        match = message.options.match
        if requests.buckets is not None and (excess := requests.count(session, SUBSCRIBES)) is not None:
            requests.refuse(session, message, excess)
        elif not is_pattern(message.procedure, match):
            requests.refuse(session, message, INVALID)
        else:
            requests.decide(
                session,
                message,
                "register",
                message.procedure,
                match,
                act=lambda decision: self._registered(session, message, decision),
            )

    def _registered(self, session: Session, message: Register, decision: Decision) -> None:
        requests = self._requests
        match = message.options.match
        if not decision.allowed:
            requests.refuse(session, message, requests.refusal(session, "register", message.procedure, match, decision))
            return
        requests.allowed("register")
        if session.registrations is not None and len(session.registrations) >= requests.limits.registrations:
            requests.refuse(session, message, requests.limit("registrations", requests.limits.registrations))
        else:
            try:
                registration = self._dealer.register(session, message.procedure, message.options)
            except RequestRefused as refusal:
                requests.refuse(session, message, refusal)
                return
            self._deliver(Registered(message.request, registration.id), NO_PAYLOAD, (session,))

    def unregister(self, session: Session, message: Unregister, _: Payload) -> None:
        """UNREGISTER: never waits."""
        self._requests.begin(session, message)
        try:
            self._dealer.unregister(session, message.registration)
        except RequestRefused as refusal:
            self._requests.refuse(session, message, refusal)
            return
        self._deliver(Unregistered(message.request), NO_PAYLOAD, (session,))

    def yielded(self, session: Session, message: Yield, payload: Payload) -> None:
        """YIELD: a callee's result.

        Raises:
            ProtocolViolation: it answers nothing that this session was ever asked.
        """
        self._requests.yields += 1
        self._dealer.yielded(session, message, payload)

    def failed(self, session: Session, message: Error, payload: Payload) -> None:
        """ERROR: a callee's, to an INVOCATION.

        Raises:
            ProtocolViolation: it answers nothing that this session was ever asked.
        """
        if message.request_type != Invocation.code:
            raise ProtocolViolation(f"an ERROR answers INVOCATION ({Invocation.code}), not {message.request_type}")
        if not is_uri(message.error):
            message.error = uri.INVALID_URI
        self._dealer.failed(session, message, payload)


def _check_announced(caller: Session, options: CallOptions) -> None:
    """See that a caller has announced what its call needs, whatever becomes of the call.

    Raises:
        ProtocolViolation: it has not.
    """
    if options.opaque:
        check_announced(caller, CALLER_PASSTHRU)
    if options.progress and not caller.features & CALLER_PROGRESSIVE_INVOCATIONS:
        raise ProtocolViolation("CALL.Options.progress needs progressive_call_invocations announced in HELLO")
