"""A call between CALL and its one answer, with what some calls have beside that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from wampgate.wire.messages import InvocationDetails

if TYPE_CHECKING:
    from wampgate.core.deadlines import Deadline
    from wampgate.core.registrations import Callee
    from wampgate.core.session import Session


class Particulars:
    """What a call has that most have not: progress, a timeout, a callee that takes only so many.

    Attributes:
        procedure: what was called.
        details: what its first INVOCATION said.
        registration: the registration's id.
        place: the callee whose running invocations are counted; None where they are not.
        receives_progress: whether its caller takes progressive results.
        streaming: whether its caller has more to send.
        timeout: seconds until the next result, or the only one, has to come; 0 for ever.
        until: when that is, by the monotonic clock.
        deadline: looks whether it has come.
        interrupted: whether its callee was told that it should come to an end.
    """

    __slots__ = (
        "deadline",
        "details",
        "interrupted",
        "place",
        "procedure",
        "receives_progress",
        "registration",
        "streaming",
        "timeout",
        "until",
    )

    def __init__(self, procedure: str, details: InvocationDetails, place: Callee | None) -> None:
        self.procedure = procedure
        self.details = details
        self.place = place
        self.registration = 0
        self.receives_progress = False
        self.streaming = False
        self.timeout = 0.0
        self.until = 0.0
        self.deadline: Deadline | None = None
        self.interrupted = False

    def details_for(self, progress: bool) -> InvocationDetails:
        """The details of a further INVOCATION: those of the first one, but for whether more follows."""
        details = self.details
        return InvocationDetails(
            caller=details.caller,
            caller_authid=details.caller_authid,
            caller_authrole=details.caller_authrole,
            procedure=details.procedure,
            receive_progress=details.receive_progress,
            ppt_scheme=details.ppt_scheme,
            ppt_serializer=details.ppt_serializer,
            ppt_cipher=details.ppt_cipher,
            ppt_keyid=details.ppt_keyid,
            enc_algo=details.enc_algo,
            enc_key=details.enc_key,
            enc_serializer=details.enc_serializer,
            traceparent=details.traceparent,
            tracestate=details.tracestate,
            progress=progress,
        )


class PendingCall(Struct, eq=False):
    """A call between CALL and its one answer. A struct, since it is made in half the time of other objects.

    Attributes:
        caller: who waits.
        request: the caller's request id.
        callee: who answers.
        invocation: the callee's request id.
        particulars: what most calls have not; None for those.
    """

    caller: Session
    request: int
    callee: Session
    invocation: int
    particulars: Particulars | None = None
