"""The WAMP messages as typed structs: decoding one validates it.

Each message is an array whose first element is its type code (WAMP, "Messages"),
so each struct is ``array_like`` and tagged with that code. ``Options`` and
``Details`` are structs too: attributes that the specification defines have
their type checked, attributes unknown to us are ignored, as "Extensibility"
demands.

Messages that carry an application payload end in ``args`` and ``kwargs``, kept
as undecoded bytes (:class:`msgspec.Raw`). They are read on decoding only: on
encoding, the payload travels beside the message as a
:class:`wampgate.wire.payload.Payload`, since one payload serves many messages.
"""

from wampgate.wire.messages.attributes import (
    ABSENT,
    MAX_ID,
    Attributes,
    CancelMode,
    EncAlgo,
    EncSerializer,
    Forwarder,
    Id,
    Invoke,
    Match,
    Message,
    NonNegative,
    PayloadAttributes,
    TracedAttributes,
)
from wampgate.wire.messages.calls import (
    NO_INVOCATION_DETAILS,
    NO_RESULT_DETAILS,
    PLAIN_CALL,
    PLAIN_YIELD,
    Call,
    CallOptions,
    Cancel,
    CancelOptions,
    Interrupt,
    InterruptOptions,
    Invocation,
    InvocationDetails,
    Register,
    Registered,
    RegisterOptions,
    RegistrationRevocationDetails,
    RegistrationRevoked,
    Result,
    ResultDetails,
    Unregister,
    Unregistered,
    Yield,
    YieldOptions,
)
from wampgate.wire.messages.publish_subscribe import (
    NO_EVENT_DETAILS,
    PLAIN_PUBLISH,
    Event,
    EventDetails,
    Publish,
    Published,
    PublishOptions,
    RevocationDetails,
    Subscribe,
    Subscribed,
    SubscribeOptions,
    SubscriptionRevoked,
    Unsubscribe,
    Unsubscribed,
)
from wampgate.wire.messages.sessions import (
    Abort,
    Authenticate,
    Challenge,
    ClientRoles,
    Error,
    Goodbye,
    Hello,
    HelloDetails,
    RoleAnnouncement,
    Welcome,
)

__all__ = [
    "ABSENT",
    "MAX_ID",
    "NO_EVENT_DETAILS",
    "NO_INVOCATION_DETAILS",
    "NO_RESULT_DETAILS",
    "PLAIN_CALL",
    "PLAIN_PUBLISH",
    "PLAIN_YIELD",
    "Abort",
    "AnyMessage",
    "Attributes",
    "Authenticate",
    "Call",
    "CallOptions",
    "Cancel",
    "CancelMode",
    "CancelOptions",
    "Challenge",
    "ClientRoles",
    "EncAlgo",
    "EncSerializer",
    "Error",
    "Event",
    "EventDetails",
    "Forwarder",
    "Goodbye",
    "Hello",
    "HelloDetails",
    "Id",
    "Interrupt",
    "InterruptOptions",
    "Invocation",
    "InvocationDetails",
    "Invoke",
    "Match",
    "Message",
    "NonNegative",
    "PayloadAttributes",
    "PayloadMessage",
    "Publish",
    "PublishOptions",
    "Published",
    "Register",
    "RegisterOptions",
    "Registered",
    "RegistrationRevocationDetails",
    "RegistrationRevoked",
    "Result",
    "ResultDetails",
    "RevocationDetails",
    "RoleAnnouncement",
    "Subscribe",
    "SubscribeOptions",
    "Subscribed",
    "SubscriptionRevoked",
    "TracedAttributes",
    "Unregister",
    "Unregistered",
    "Unsubscribe",
    "Unsubscribed",
    "Welcome",
    "Yield",
    "YieldOptions",
]

AnyMessage = (
    Hello
    | Welcome
    | Abort
    | Challenge
    | Authenticate
    | Goodbye
    | Error
    | Publish
    | Published
    | Subscribe
    | Subscribed
    | Unsubscribe
    | Unsubscribed
    | Event
    | Call
    | Cancel
    | Result
    | Register
    | Registered
    | Unregister
    | Unregistered
    | Invocation
    | Interrupt
    | Yield
)
PayloadMessage = Abort | Error | Publish | Event | Call | Result | Invocation | Yield
