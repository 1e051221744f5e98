"""Calls to invocations to results: the dealer of one realm ("Remote Procedure Calls")."""

from __future__ import annotations

from random import randrange
from time import time
from typing import TYPE_CHECKING, Any, Final, Literal

from wampgate.core import features
from wampgate.core.errors import ProtocolViolation, RequestRefused, uri
from wampgate.core.passthru import NOT_SUPPORTED, check_announced, sealed, sealed_error
from wampgate.core.pending_calls import Particulars, PendingCall
from wampgate.core.registrations import Registrations
from wampgate.core.trace_context import context_of, traced
from wampgate.wire.messages import (
    MAX_ID,
    NO_INVOCATION_DETAILS,
    NO_RESULT_DETAILS,
    PLAIN_CALL,
    PLAIN_YIELD,
    Call,
    Error,
    Interrupt,
    InterruptOptions,
    Invocation,
    InvocationDetails,
    RegistrationRevocationDetails,
    RegistrationRevoked,
    Result,
    ResultDetails,
)
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.deadlines import Deadlines
    from wampgate.core.decisions import Disclosure
    from wampgate.core.interfaces import Deliver
    from wampgate.core.registrations import Callee, Registration
    from wampgate.core.session import Session
    from wampgate.wire.messages import CancelMode, RegisterOptions, Yield


class Dealer:
    """The registrations and the pending calls of one realm.

    Every call ends exactly once: by YIELD, by ERROR, by CANCEL, by its timeout, by
    its callee leaving, or by its caller leaving. A pending call stands in its
    caller's ``calls`` and in its callee's ``invocations``, and leaves both together.

    Args:
        deliver: where messages go.
        deadlines: ends calls that take too long.
        wall_clock: tells when a registration came to be, in seconds since 1970.
        choose: draws a number from 0 up to its argument, that excluded.

    Attributes:
        registrations: who answers what.
        calls: how many came to a registered procedure, ever.
    """

    def __init__(
        self,
        deliver: Deliver,
        deadlines: Deadlines,
        *,
        wall_clock: Callable[[], float] = time,
        choose: Callable[[int], int] = randrange,
    ) -> None:
        self._deliver = deliver
        self._deadlines = deadlines
        self._choose = choose
        self.calls = 0
        self.registrations = Registrations(wall_clock)
        self._exact = self.registrations.exact

    def register(self, callee: Session, procedure: str, options: RegisterOptions) -> Registration:
        """Make a session a callee of a procedure or pattern.

        Raises:
            RequestRefused: another callee has it and does not share it.
        """
        if options.force_reregister:
            self._displace(callee, procedure, options)
        return self.registrations.add(callee, procedure, options)

    def _displace(self, callee: Session, procedure: str, options: RegisterOptions) -> None:
        """Take a procedure from what is left of the same principal, such as a connection that is half dead.

        Raises:
            RequestRefused: another callee has it beside, and does not share it: nothing is taken then.
        """
        registration = self.registrations.get(procedure, options.match)
        if registration is None:
            return
        sessions = [place.session for place in registration.callees]
        displaced = [s for s in sessions if s is not callee and s.principal.authid == callee.principal.authid]
        if len(displaced) < len(sessions):
            registration.check_shared(options)
        for session in displaced:
            self.revoke(session, registration, uri.REGISTRATION_DISPLACED)

    def unregister(self, callee: Session, registration_id: int) -> None:
        """Take a procedure back; its pending invocations may still be answered.

        Raises:
            RequestRefused: it holds no such registration.
        """
        registration = (callee.registrations or {}).get(registration_id)
        if registration is None:
            raise RequestRefused(uri.NO_SUCH_REGISTRATION, "this session holds no such registration")
        self.registrations.remove(callee, registration)

    def revoke(self, callee: Session, registration: Registration, reason: str) -> None:
        """Take a callee off a registration, and tell it if it understands that ("Registration Revocation").

        Args:
            callee: who answers no more.
            registration: what.
            reason: a URI.
        """
        self.registrations.remove(callee, registration)
        if callee.features & features.CALLEE_REVOCATION:
            details = RegistrationRevocationDetails(registration=registration.id, reason=reason)
            self._deliver(RegistrationRevoked(0, details), NO_PAYLOAD, (callee,))

    # --- calls ---

    def call(self, caller: Session, message: Call, payload: Payload, disclosure: Disclosure) -> None:
        """Invoke the callee of a procedure.

        Raises:
            RequestRefused: there is no such procedure, none of its callees takes one more call or
                what the call needs, or the caller asks to be disclosed and must not be.
        """
        procedure = message.procedure
        registration = self._exact.get(procedure) or self.registrations.best(procedure)
        if registration is None:
            raise RequestRefused(uri.NO_SUCH_PROCEDURE, f"no one has registered {procedure}")
        self.calls += 1
        callee = registration.plain_callee
        if callee is not None and disclosure != "always" and message.options == PLAIN_CALL:
            # Most calls: nothing was asked for by either side, and nothing is to be told.
            pending = _enter(caller, message.request, callee)
            invocation = Invocation(pending.invocation, registration.id, NO_INVOCATION_DETAILS)
            self._deliver(invocation, payload, (callee,))
        else:
            self._call(caller, message, payload, registration, disclosure)

    def _call(
        self, caller: Session, message: Call, payload: Payload, registration: Registration, disclosure: Disclosure
    ) -> None:
        """Invoke a callee of a registration.

        Raises:
            RequestRefused: see :meth:`call`.
        """
        procedure = message.procedure
        options = message.options
        plain = options == PLAIN_CALL
        wanted = not plain and options.disclose_me
        if wanted and disclosure == "never":
            raise RequestRefused(uri.DISCLOSE_ME_DISALLOWED, "the caller's identity is not disclosed to this procedure")
        place = registration.pick(self._choose)
        if place is None:
            raise RequestRefused(
                uri.NO_AVAILABLE_CALLEE, f"all callees of {procedure} have as many calls as they take; try again"
            )
        details = NO_INVOCATION_DETAILS
        if wanted or disclosure == "always" or (place.disclose_caller and disclosure != "never"):
            details = InvocationDetails(
                caller=caller.id,
                caller_authid=caller.principal.authid,
                caller_authrole=caller.principal.authrole,
            )
        if registration.match != "exact":
            details = _own(details)
            details.procedure = procedure
        particulars = None
        if not plain or place.concurrency:
            details = _own(details)
            if not plain and (trace := context_of(options)) is not None:
                traced(details, trace)
            particulars = self._particulars(message, place, details)
        pending = _enter(caller, message.request, place.session)
        if particulars is not None:
            particulars.registration = registration.id
            self._begin(pending, particulars)
        self._deliver(Invocation(pending.invocation, registration.id, details), payload, (place.session,))

    def _particulars(self, message: Call, place: Callee, details: InvocationDetails) -> Particulars:
        """What a call has that most have not; written into the invocation's details as well.

        Raises:
            RequestRefused: see :meth:`call`.
        """
        options = message.options
        announced = place.session.features
        particulars = Particulars(message.procedure, details, place if place.concurrency else None)
        if options.opaque:
            if not announced & features.CALLEE_PASSTHRU:
                raise NOT_SUPPORTED
            sealed(details, options)
        if options.progress:
            _check_streaming(announced)
            particulars.streaming = details.progress = True
        if options.receive_progress:
            particulars.receives_progress = True
            details.receive_progress = bool(announced & features.CALLEE_PROGRESSIVE_RESULTS)
        if options.timeout:
            if place.forward_timeout and announced & features.CALLEE_TIMEOUT:
                details.timeout = options.timeout
            else:
                particulars.timeout = options.timeout / 1000
        return particulars

    def _begin(self, pending: PendingCall, particulars: Particulars) -> None:
        pending.particulars = particulars
        if particulars.place is not None:
            particulars.place.running += 1
        if particulars.timeout:
            particulars.until = self._deadlines.now() + particulars.timeout
            self._watch(pending, particulars)

    def go_on(self, caller: Session, message: Call, payload: Payload) -> None:
        """Hand on more of a call that its caller sends in several messages ("Progressive Call Invocations").

        Options other than ``progress`` are those of the first message.

        Raises:
            ProtocolViolation: the id is that of a call of which nothing more was to come, or of another procedure.
        """
        pending = (caller.calls or {})[message.request]
        particulars = pending.particulars
        if particulars is None or not particulars.streaming or particulars.procedure != message.procedure:
            raise ProtocolViolation(f"the request id {message.request} is in use")
        particulars.streaming = message.options.progress
        details = particulars.details_for(message.options.progress)
        self._deliver(Invocation(pending.invocation, particulars.registration, details), payload, (pending.callee,))

    def yielded(self, callee: Session, message: Yield, payload: Payload) -> None:
        """Hand a result to the caller.

        Raises:
            ProtocolViolation: nothing of that id was ever asked of this callee, a progressive
                result was not asked for, or a sealed payload was sent without announcing it.
        """
        options = message.options
        plain = options == PLAIN_YIELD
        if not plain and options.opaque:
            check_announced(callee, features.CALLEE_PASSTHRU)
        if not plain and options.progress:
            self._progressed(callee, message, payload)
            return
        pending = self._answered(callee, message.request)
        if pending is None:
            return
        details = NO_RESULT_DETAILS
        if not plain and options.opaque:
            if not pending.caller.features & features.CALLER_PASSTHRU:
                self._fail(pending, NOT_SUPPORTED.error, Payload([NOT_SUPPORTED.message]))
                return
            details = sealed(ResultDetails(), options)
        self._deliver(Result(pending.request, details), payload, (pending.caller,))

    def _progressed(self, callee: Session, message: Yield, payload: Payload) -> None:
        """Hand on one of several results of a call ("Progressive Call Results")."""
        pending = (callee.invocations or {}).get(message.request)
        if pending is None:
            _check_asked(callee, message.request)
            return
        particulars = pending.particulars
        if particulars is None or not particulars.receives_progress:
            raise ProtocolViolation("a progressive result was sent though none was asked for")
        if particulars.timeout:
            # The deadline finds out for itself that it came too early.
            particulars.until = self._deadlines.now() + particulars.timeout
        details = ResultDetails(progress=True)
        if message.options.opaque:
            if not pending.caller.features & features.CALLER_PASSTHRU:
                self._end(pending, NOT_SUPPORTED.error, NOT_SUPPORTED.message)
                return
            sealed(details, message.options)
        self._deliver(Result(pending.request, details), payload, (pending.caller,))

    def failed(self, callee: Session, message: Error, payload: Payload) -> None:
        """Hand an error to the caller.

        Raises:
            ProtocolViolation: nothing of that id was ever asked of this callee.
        """
        pending = self._answered(callee, message.request)
        if pending is not None:
            self._fail(pending, message.error, payload, sealed_error(message.details) if message.details else {})

    def cancel(self, caller: Session, request: int, mode: CancelMode) -> None:
        """End a call that its caller no longer waits for; one that has ended needs none ("Call Canceling").

        A callee that takes no INTERRUPT is left to finish: whatever the mode, its answer is dropped.
        """
        pending = (caller.calls or {}).get(request)
        if pending is None:
            return
        if mode == "kill" and pending.callee.features & features.CALLEE_CANCELING:
            if pending.particulars is None:
                pending.particulars = Particulars("", NO_INVOCATION_DETAILS, None)
            if not pending.particulars.interrupted:
                pending.particulars.interrupted = True
                self._interrupt(pending, "kill")
        else:
            self._end(pending, uri.CANCELED, "the caller canceled the call", interrupt=mode != "skip")

    def leave(self, session: Session) -> None:
        """Forget a session: its procedures are gone, its callers are told, its own calls have no one to answer to."""
        for registration in list((session.registrations or {}).values()):
            self.registrations.remove(session, registration)
        session.registrations = None
        # Both first: who has called itself is told of neither end.
        calls, session.calls = session.calls, None
        invocations, session.invocations = session.invocations, None
        for pending in (calls or {}).values():
            if pending.callee.invocations is not None:
                del pending.callee.invocations[pending.invocation]
                self._interrupt(pending, "killnowait", uri.CANCELED)
            self._let_go(pending)
        for pending in (invocations or {}).values():
            self._let_go(pending)
            if pending.caller.calls is not None:
                del pending.caller.calls[pending.request]
                self._fail(pending, uri.CANCELED, Payload(["the callee left before it answered"]))

    # --- how calls end ---

    def _answered(self, callee: Session, invocation: int) -> PendingCall | None:
        """The pending call that an answer ends; None if its caller no longer waits."""
        pending = callee.invocations.pop(invocation, None) if callee.invocations else None
        if pending is None:
            _check_asked(callee, invocation)
            return None
        if pending.particulars is not None:
            self._let_go(pending)
        if pending.caller.calls is not None:
            del pending.caller.calls[pending.request]
        return pending

    def _end(self, pending: PendingCall, error: str, why: str, *, interrupt: bool = True) -> None:
        """End a pending call from our side: its caller gets the error, its callee may stop."""
        if pending.callee.invocations is not None:
            pending.callee.invocations.pop(pending.invocation, None)
        if pending.caller.calls is not None:
            pending.caller.calls.pop(pending.request, None)
        self._let_go(pending)
        self._fail(pending, error, Payload([why]))
        if interrupt:
            self._interrupt(pending, "killnowait", error)

    def end_streaming(self, caller: Session, request: int, refusal: RequestRefused) -> None:
        """End a call because more of it can't be taken."""
        pending = (caller.calls or {}).get(request)
        if pending is not None:
            self._end(pending, refusal.error, refusal.message)

    def _fail(self, pending: PendingCall, error: str, payload: Payload, details: dict[str, Any] | None = None) -> None:
        self._deliver(Error(Call.code, pending.request, details or {}, error), payload, (pending.caller,))

    def _interrupt(self, pending: PendingCall, mode: Literal["kill", "killnowait"], reason: str | None = None) -> None:
        """Tell a callee that nobody waits for its answer, if it takes that."""
        if pending.callee.features & features.CALLEE_CANCELING:
            options = InterruptOptions(mode=mode, reason=reason)
            self._deliver(Interrupt(pending.invocation, options), NO_PAYLOAD, (pending.callee,))

    def _let_go(self, pending: PendingCall) -> None:
        """Give back what a call took beside its places in the two tables."""
        particulars, pending.particulars = pending.particulars, None
        if particulars is None:
            return
        if particulars.place is not None:
            particulars.place.running -= 1
        self._deadlines.cancel(particulars.deadline)

    def _watch(self, pending: PendingCall, particulars: Particulars) -> None:
        particulars.deadline = self._deadlines.at(particulars.until, lambda: self._late(pending))

    def _late(self, pending: PendingCall) -> None:
        particulars = pending.particulars
        if particulars is None:
            return
        if particulars.until > self._deadlines.now():
            self._watch(pending, particulars)
        else:
            self._end(pending, uri.TIMEOUT, f"no result came within {particulars.timeout * 1000:g} ms")


def _enter(caller: Session, request: int, callee: Session) -> PendingCall:
    """A new pending call, in both tables."""
    invocation = callee.last_invocation % MAX_ID + 1
    callee.last_invocation = invocation
    pending = PendingCall(caller, request, callee, invocation)
    if caller.calls is None:
        caller.calls = {}
    caller.calls[request] = pending
    if callee.invocations is None:
        callee.invocations = {}
    callee.invocations[invocation] = pending
    return pending


def _own(details: InvocationDetails) -> InvocationDetails:
    """Details that may be written to."""
    return InvocationDetails() if details is NO_INVOCATION_DETAILS else details


def _check_asked(callee: Session, invocation: int) -> None:
    """See that an id was asked of a callee once: then its answer is late, not wrong."""
    if invocation > callee.last_invocation:
        raise ProtocolViolation(f"no invocation {invocation} was sent to this session")


def _check_streaming(announced: int) -> None:
    if announced & _STREAMED != _STREAMED:
        raise RequestRefused(
            uri.FEATURE_NOT_SUPPORTED, "the callee has not announced progressive_call_invocations and call_canceling"
        )


_STREAMED: Final = features.CALLEE_PROGRESSIVE_INVOCATIONS | features.CALLEE_CANCELING
