"""Registrations to invocations to results: the dealer of one realm ("Remote Procedure Calls")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.core.errors import ProtocolViolation, RequestRefused, uri
from wampgate.core.ids import sequential_ids
from wampgate.wire.messages import (
    MAX_ID,
    NO_INVOCATION_DETAILS,
    NO_RESULT_DETAILS,
    Call,
    Error,
    Invocation,
    InvocationDetails,
    Result,
)
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wampgate.core.decisions import Disclosure
    from wampgate.core.interfaces import Deliver
    from wampgate.core.session import Session
    from wampgate.wire.messages import RegisterOptions, Yield


class Registration:
    """One procedure and its callee."""

    __slots__ = ("callee", "disclose_caller", "id", "procedure")

    def __init__(self, registration_id: int, procedure: str, callee: Session, disclose_caller: bool) -> None:
        self.id = registration_id
        self.procedure = procedure
        self.callee = callee
        self.disclose_caller = disclose_caller


class PendingCall:
    """A call between CALL and its one answer.

    Attributes:
        request: the caller's request id.
        invocation: the callee's request id.
    """

    __slots__ = ("callee", "caller", "invocation", "request")

    def __init__(self, caller: Session, request: int, callee: Session, invocation: int) -> None:
        self.caller = caller
        self.request = request
        self.callee = callee
        self.invocation = invocation


class Dealer:
    """The registrations and the pending calls of one realm.

    Every call ends exactly once: by YIELD, by ERROR, by its callee leaving, or
    by its caller leaving. A pending call stands in its caller's ``calls`` and in
    its callee's ``invocations``, and leaves both together.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._registration_ids = sequential_ids()
        self._registrations_by_procedure: dict[str, Registration] = {}

    def __len__(self) -> int:
        return len(self._registrations_by_procedure)

    def registrations(self) -> Iterable[Registration]:
        """Every registration."""
        return self._registrations_by_procedure.values()

    def register(self, callee: Session, procedure: str, options: RegisterOptions) -> Registration:
        """Make a session the callee of a procedure.

        Raises:
            RequestRefused: another callee has it, or an option isn't supported.
        """
        if options.match != "exact" or options.invoke != "single":
            raise RequestRefused(
                uri.OPTION_NOT_ALLOWED, "this router takes registrations with match=exact and invoke=single only"
            )
        if procedure in self._registrations_by_procedure:
            raise RequestRefused(uri.PROCEDURE_ALREADY_EXISTS, f"the procedure {procedure} is registered already")
        registration = Registration(next(self._registration_ids), procedure, callee, options.disclose_caller)
        self._registrations_by_procedure[procedure] = registration
        if callee.registrations is None:
            callee.registrations = {}
        callee.registrations[registration.id] = registration
        return registration

    def unregister(self, callee: Session, registration_id: int) -> None:
        """Take a procedure back; its pending invocations may still be answered.

        Raises:
            RequestRefused: it holds no such registration.
        """
        registration = callee.registrations.pop(registration_id, None) if callee.registrations else None
        if registration is None:
            raise RequestRefused(uri.NO_SUCH_REGISTRATION, "this session holds no such registration")
        del self._registrations_by_procedure[registration.procedure]

    def call(self, caller: Session, message: Call, payload: Payload, disclosure: Disclosure) -> None:
        """Invoke a procedure's callee.

        Raises:
            RequestRefused: there is no such procedure, or the caller asks to be
                disclosed and must not be.
        """
        registration = self._registrations_by_procedure.get(message.procedure)
        if registration is None:
            raise RequestRefused(uri.NO_SUCH_PROCEDURE, f"no one has registered {message.procedure}")
        wanted = message.options.disclose_me
        if wanted and disclosure == "never":
            raise RequestRefused(uri.DISCLOSE_ME_DISALLOWED, "the caller's identity is not disclosed to this procedure")
        details = NO_INVOCATION_DETAILS
        if wanted or disclosure == "always" or (registration.disclose_caller and disclosure != "never"):
            details = InvocationDetails(
                caller=caller.id,
                caller_authid=caller.principal.authid,
                caller_authrole=caller.principal.authrole,
            )
        callee = registration.callee
        invocation = callee.last_invocation % MAX_ID + 1
        callee.last_invocation = invocation
        pending = PendingCall(caller, message.request, callee, invocation)
        if caller.calls is None:
            caller.calls = {}
        caller.calls[message.request] = pending
        if callee.invocations is None:
            callee.invocations = {}
        callee.invocations[invocation] = pending
        self._deliver(Invocation(invocation, registration.id, details), payload, (callee,))

    def yielded(self, callee: Session, message: Yield, payload: Payload) -> None:
        """Hand a result to the caller.

        Raises:
            ProtocolViolation: nothing of that id was ever asked of this callee.
        """
        pending = self._answered(callee, message.request)
        if pending is not None:
            self._deliver(Result(pending.request, NO_RESULT_DETAILS), payload, (pending.caller,))

    def failed(self, callee: Session, message: Error, payload: Payload) -> None:
        """Hand an error to the caller.

        Raises:
            ProtocolViolation: nothing of that id was ever asked of this callee.
        """
        pending = self._answered(callee, message.request)
        if pending is not None:
            self._deliver(Error(Call.code, pending.request, {}, message.error), payload, (pending.caller,))

    def leave(self, session: Session) -> None:
        """Forget a session: its procedures are gone, its callers are told, its own calls have no one to answer to."""
        registrations, session.registrations = session.registrations, None
        for registration in (registrations or {}).values():
            del self._registrations_by_procedure[registration.procedure]
        calls, session.calls = session.calls, None
        for pending in (calls or {}).values():
            if pending.callee.invocations is not None:
                del pending.callee.invocations[pending.invocation]
        invocations, session.invocations = session.invocations, None
        gone = Payload(["the callee left before it answered"])
        for pending in (invocations or {}).values():
            if pending.caller.calls is not None:
                del pending.caller.calls[pending.request]
                self._deliver(Error(Call.code, pending.request, {}, uri.CANCELED), gone, (pending.caller,))

    def _answered(self, callee: Session, invocation: int) -> PendingCall | None:
        """The pending call that an answer ends; None if its caller has left meanwhile.

        An id at or below the last one handed out was asked once: the answer is late, not wrong.
        """
        pending = callee.invocations.pop(invocation, None) if callee.invocations else None
        if pending is None:
            if invocation > callee.last_invocation:
                raise ProtocolViolation(f"no invocation {invocation} was sent to this session")
            return None
        if pending.caller.calls is not None:
            del pending.caller.calls[pending.request]
        return pending
