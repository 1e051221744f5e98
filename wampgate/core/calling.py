"""What sessions send to the dealer: CALL, REGISTER, UNREGISTER and the answers to INVOCATION."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.buckets import CALLS, SUBSCRIBES
from wampgate.core.errors import ProtocolViolation, RequestRefused, uri
from wampgate.core.requests import INVALID
from wampgate.core.uri import is_pattern, is_uri
from wampgate.wire.messages import Invocation, Registered, Unregistered
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from wampgate.core.dealer import Dealer
    from wampgate.core.decisions import Decision
    from wampgate.core.interfaces import Deliver
    from wampgate.core.requests import Requests
    from wampgate.core.session import Session
    from wampgate.wire.messages import Call, Error, Register, Unregister, Yield


class Calling:
    """The dealer's side of a realm ("Remote Procedure Calls")."""

    def __init__(self, requests: Requests, dealer: Dealer, deliver: Deliver) -> None:
        self._requests = requests
        self._dealer = dealer
        self._deliver = deliver

    def call(self, session: Session, message: Call, payload: Payload) -> None:
        """CALL: one RESULT or ERROR follows."""
        requests = self._requests
        requests.begin(session, message)
        if requests.buckets is not None and (excess := requests.count(session, CALLS)) is not None:
            requests.refuse(session, message, excess)
        elif not is_uri(message.procedure):
            requests.refuse(session, message, INVALID)
        else:
            requests.decide(
                session,
                message,
                "call",
                message.procedure,
                "exact",
                act=lambda decision: self._called(session, message, payload, decision),
            )

    def _called(self, session: Session, message: Call, payload: Payload, decision: Decision) -> None:
        requests = self._requests
        if not decision.allowed:
            requests.refuse(session, message, requests.refusal(session, "call", message.procedure, "exact", decision))
        elif session.calls is not None and len(session.calls) >= requests.limits.calls:
            requests.refuse(session, message, requests.limit("calls", requests.limits.calls))
        elif message.options.opaque:
            requests.refuse(session, message, _OPAQUE)
        else:
            try:
                self._dealer.call(session, message, payload, decision.disclose)
            except RequestRefused as refusal:
                requests.refuse(session, message, refusal)

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
        elif session.registrations is not None and len(session.registrations) >= requests.limits.registrations:
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
        if message.options.progress:
            raise ProtocolViolation("a progressive result was sent though none was asked for")
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


_OPAQUE: Final = RequestRefused(uri.FEATURE_NOT_SUPPORTED, "this router does not announce payload passthru mode")
