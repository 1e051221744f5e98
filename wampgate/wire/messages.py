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

from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta, Raw, Struct

MAX_ID: Final = 2**53
"""The largest WAMP id ("IDs"): every integer up to it is exact in a double."""

Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
NonNegative = Annotated[int, Meta(ge=0, le=MAX_ID)]
Match = Literal["exact", "prefix", "wildcard"]
Invoke = Literal["single", "roundrobin", "random", "first", "last"]
CancelMode = Literal["skip", "kill", "killnowait"]
EncAlgo = Annotated[str, Meta(pattern=r"^(null|cryptobox|mqtt|xbr|x_.+)$")]
EncSerializer = Annotated[str, Meta(pattern=r"^(null|json|msgpack|cbor|ubjson|opaque|flatbuffers|x_.+)$")]

ABSENT: Final = Raw()
"""What ``args`` and ``kwargs`` hold when the message ended before them."""


class Attributes(Struct, omit_defaults=True, kw_only=True, gc=False):
    """An ``Options`` or ``Details`` dictionary."""


class Forwarder(Attributes):
    """One hop of a router-to-router link ("Router-to-Router Links")."""

    session: Id
    authid: str | None
    authrole: str | None


class PayloadAttributes(Attributes):
    """How the payload is packed, if the router is not to read it ("Payload Passthru Mode").

    ``enc_*`` are Autobahn's names for what the specification calls ``ppt_*``.
    """

    enc_algo: EncAlgo | None = None
    enc_key: str | None = None
    enc_serializer: EncSerializer | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None
    forward_for: list[Forwarder] | None = None

    @property
    def opaque(self) -> bool:
        """Whether the payload is one sealed element instead of args and kwargs."""
        return self.enc_algo is not None or bool(self.ppt_scheme)


class Message(Struct, array_like=True, gc=False):
    """Any WAMP message.

    Attributes:
        code: the message's type code ("Message Codes and Direction").
        has_payload: whether ``args`` and ``kwargs`` end the message.
    """

    code: ClassVar[int] = 0
    has_payload: ClassVar[bool] = False

    def head(self) -> tuple[object, ...]:
        """Every element before the payload, type code first."""
        fields = self.__struct_fields__
        if self.has_payload:
            fields = fields[:-2]
        return (self.code, *(getattr(self, field) for field in fields))

    def is_plain(self) -> bool:
        """Whether no typed attributes are set, so that the message encodes in one step."""
        return True


# --- Session lifecycle ("Sessions") -----------------------------------------------------


class RoleAnnouncement(Attributes):
    """One role in HELLO: the features that the client announces for it."""

    features: dict[str, Any] = {}


class ClientRoles(Attributes):
    """HELLO.Details.roles ("Client: Role and Feature Announcement")."""

    publisher: RoleAnnouncement | None = None
    subscriber: RoleAnnouncement | None = None
    caller: RoleAnnouncement | None = None
    callee: RoleAnnouncement | None = None


class HelloDetails(Attributes):
    """HELLO.Details."""

    roles: ClientRoles
    authmethods: list[str] | None = None
    authid: str | None = None
    authrole: str | None = None
    authextra: dict[str, Any] | None = None
    agent: str | None = None


class Hello(Message, tag=1):
    """``[HELLO, Realm|uri, Details|dict]``."""

    code = 1
    realm: str
    details: HelloDetails

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class Welcome(Message, tag=2):
    """``[WELCOME, Session|id, Details|dict]``."""

    code = 2
    session: Id
    details: dict[str, Any]


class Abort(Message, tag=3):
    """``[ABORT, Details|dict, Reason|uri, Arguments|list, ArgumentsKw|dict]``."""

    code = 3
    has_payload = True
    details: dict[str, Any]
    reason: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


class Challenge(Message, tag=4):
    """``[CHALLENGE, AuthMethod|string, Extra|dict]``."""

    code = 4
    method: str
    extra: dict[str, Any]


class Authenticate(Message, tag=5):
    """``[AUTHENTICATE, Signature|string, Extra|dict]``."""

    code = 5
    signature: str
    extra: dict[str, Any]

    def __repr__(self) -> str:
        # The signature may be a ticket, that is, a secret: it must not reach a log.
        return "Authenticate(signature=…, extra=…)"


class Goodbye(Message, tag=6):
    """``[GOODBYE, Details|dict, Reason|uri]``."""

    code = 6
    details: dict[str, Any]
    reason: str


class Error(Message, tag=8):
    """``[ERROR, Type|int, Request|id, Details|dict, Error|uri, Arguments|list, ArgumentsKw|dict]``."""

    code = 8
    has_payload = True
    request_type: NonNegative
    request: Id
    details: dict[str, Any]
    error: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


# --- Publish & Subscribe ----------------------------------------------------------------


class PublishOptions(PayloadAttributes):
    """PUBLISH.Options, with publisher exclusion and identification, black- and whitelisting, retention."""

    acknowledge: bool = False
    exclude_me: bool = True
    disclose_me: bool = False
    exclude: list[Id] | None = None
    exclude_authid: list[str] | None = None
    exclude_authrole: list[str] | None = None
    eligible: list[Id] | None = None
    eligible_authid: list[str] | None = None
    eligible_authrole: list[str] | None = None
    retain: bool = False
    transaction_hash: str | None = None


PLAIN_PUBLISH: Final = PublishOptions()
"""The options of a publication that asks for nothing special: to compare with is quicker than to look at each."""


class Publish(Message, tag=16):
    """``[PUBLISH, Request|id, Options|dict, Topic|uri, Arguments|list, ArgumentsKw|dict]``."""

    code = 16
    has_payload = True
    request: Id
    options: PublishOptions
    topic: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class Published(Message, tag=17):
    """``[PUBLISHED, PUBLISH.Request|id, Publication|id]``."""

    code = 17
    request: Id
    publication: Id


class SubscribeOptions(Attributes):
    """SUBSCRIBE.Options ("Pattern-based Subscription", "Event Retention")."""

    match: Match = "exact"
    get_retained: bool = False
    forward_for: list[Forwarder] | None = None


class Subscribe(Message, tag=32):
    """``[SUBSCRIBE, Request|id, Options|dict, Topic|uri]``."""

    code = 32
    request: Id
    options: SubscribeOptions
    topic: str

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class Subscribed(Message, tag=33):
    """``[SUBSCRIBED, SUBSCRIBE.Request|id, Subscription|id]``."""

    code = 33
    request: Id
    subscription: Id


class Unsubscribe(Message, tag=34):
    """``[UNSUBSCRIBE, Request|id, SUBSCRIBED.Subscription|id]``."""

    code = 34
    request: Id
    subscription: Id


class Unsubscribed(Message, tag=35):
    """``[UNSUBSCRIBED, UNSUBSCRIBE.Request|id]``."""

    code = 35
    request: Id


class RevocationDetails(Attributes):
    """UNSUBSCRIBED.Details of a subscription that the router ends ("Subscription Revocation")."""

    subscription: Id
    reason: str


class SubscriptionRevoked(Message, tag=35):
    """``[UNSUBSCRIBED, 0, Details|dict]``: sent by the router, never received."""

    code = 35
    request: int
    details: RevocationDetails

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class EventDetails(PayloadAttributes):
    """EVENT.Details. The router alone writes it: identities in it can be trusted."""

    publisher: Id | None = None
    publisher_authid: str | None = None
    publisher_authrole: str | None = None
    topic: str | None = None
    retained: bool | None = None
    transaction_hash: str | None = None
    x_acknowledged_delivery: bool | None = None


NO_EVENT_DETAILS: Final = EventDetails()


class Event(Message, tag=36):
    """``[EVENT, Subscription|id, Publication|id, Details|dict, Arguments|list, ArgumentsKw|dict]``."""

    code = 36
    has_payload = True
    subscription: Id
    publication: Id
    details: EventDetails
    args: Raw = ABSENT
    kwargs: Raw = ABSENT

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return self.details is NO_EVENT_DETAILS


# --- Routed remote procedure calls ------------------------------------------------------


class CallOptions(PayloadAttributes):
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


class InvocationDetails(PayloadAttributes):
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
