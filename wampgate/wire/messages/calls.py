"""The messages of routed remote procedure calls."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Raw

from wampgate.wire.messages.attributes import (
    ABSENT,
    MAX_ID,
    Attributes,
    CancelMode,
    Forwarder,
    Id,
    Invoke,
    Match,
    Message,
    NonNegative,
    PayloadAttributes,
    TracedAttributes,
)


class CallOptions(TracedAttributes):
    """CALL.Options ("Progressive Call Results", "Progressive Call Invocations", "Call Timeouts").

    Attributes:
        progress: whether more of the same call follows.
        timeout: milliseconds until the call ends by itself; 0 and None for never.
    """

    disclose_me: bool = False
    receive_progress: bool = False
    progress: bool = False
    timeout: NonNegative | None = None


PLAIN_CALL: Final = CallOptions()
"""The options of a call that asks for nothing special, as most do: to compare with is quicker than to look at each."""


class Call(Message, tag=48):
    """``[CALL, Request|id, Options|dict, Procedure|uri, Arguments|list, ArgumentsKw|dict]``."""

    code = 48
    has_payload = True
    request: Id
    options: CallOptions
    procedure: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class CancelOptions(Attributes):
    """CANCEL.Options ("Call Canceling")."""

    mode: CancelMode | None = None
    forward_for: list[Forwarder] | None = None


class Cancel(Message, tag=49):
    """``[CANCEL, CALL.Request|id, Options|dict]``."""

    code = 49
    request: Id
    options: CancelOptions

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class ResultDetails(PayloadAttributes):
    """RESULT.Details."""

    progress: bool = False


NO_RESULT_DETAILS: Final = ResultDetails()


class Result(Message, tag=50):
    """``[RESULT, CALL.Request|id, Details|dict, Arguments|list, ArgumentsKw|dict]``."""

    code = 50
    has_payload = True
    request: Id
    details: ResultDetails
    args: Raw = ABSENT
    kwargs: Raw = ABSENT

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return self.details is NO_RESULT_DETAILS


class RegisterOptions(Attributes):
    """REGISTER.Options ("Caller Identification", "Shared Registration", "Pattern-based Registration").

    Attributes:
        forward_timeout: whether the callee watches over timeouts itself ("Call Timeouts").
        concurrency: how many invocations the callee takes at a time; None for any number. Autobahn's.
        force_reregister: whether callees of the same authid are to give way. Autobahn's.
    """

    match: Match = "exact"
    invoke: Invoke = "single"
    disclose_caller: bool = False
    forward_timeout: bool = False
    concurrency: Annotated[int, Meta(ge=1, le=MAX_ID)] | None = None
    force_reregister: bool = False
    forward_for: list[Forwarder] | None = None


class Register(Message, tag=64):
    """``[REGISTER, Request|id, Options|dict, Procedure|uri]``."""

    code = 64
    request: Id
    options: RegisterOptions
    procedure: str

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class Registered(Message, tag=65):
    """``[REGISTERED, REGISTER.Request|id, Registration|id]``."""

    code = 65
    request: Id
    registration: Id


class Unregister(Message, tag=66):
    """``[UNREGISTER, Request|id, REGISTERED.Registration|id]``."""

    code = 66
    request: Id
    registration: Id


class Unregistered(Message, tag=67):
    """``[UNREGISTERED, UNREGISTER.Request|id]``."""

    code = 67
    request: Id


class RegistrationRevocationDetails(Attributes):
    """UNREGISTERED.Details of a registration that the router ends ("Registration Revocation")."""

    registration: Id
    reason: str


class RegistrationRevoked(Message, tag=67):
    """``[UNREGISTERED, 0, Details|dict]``: sent by the router, never received."""

    code = 67
    request: int
    details: RegistrationRevocationDetails

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class InvocationDetails(TracedAttributes):
    """INVOCATION.Details. The router alone writes it: identities in it can be trusted."""

    caller: Id | None = None
    caller_authid: str | None = None
    caller_authrole: str | None = None
    procedure: str | None = None
    receive_progress: bool = False
    progress: bool = False
    timeout: NonNegative | None = None


NO_INVOCATION_DETAILS: Final = InvocationDetails()


class Invocation(Message, tag=68):
    """``[INVOCATION, Request|id, Registration|id, Details|dict, Arguments|list, ArgumentsKw|dict]``."""

    code = 68
    has_payload = True
    request: Id
    registration: Id
    details: InvocationDetails
    args: Raw = ABSENT
    kwargs: Raw = ABSENT

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return self.details is NO_INVOCATION_DETAILS


class InterruptOptions(Attributes):
    """INTERRUPT.Options ("Call Canceling")."""

    mode: Literal["kill", "killnowait"] | None = None
    reason: str | None = None


class Interrupt(Message, tag=69):
    """``[INTERRUPT, INVOCATION.Request|id, Options|dict]``."""

    code = 69
    request: Id
    options: InterruptOptions

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class YieldOptions(PayloadAttributes):
    """YIELD.Options."""

    progress: bool = False


PLAIN_YIELD: Final = YieldOptions()
"""The options of a result that is whole and not sealed."""


class Yield(Message, tag=70):
    """``[YIELD, INVOCATION.Request|id, Options|dict, Arguments|list, ArgumentsKw|dict]``."""

    code = 70
    has_payload = True
    request: Id
    options: YieldOptions
    args: Raw = ABSENT
    kwargs: Raw = ABSENT

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False
