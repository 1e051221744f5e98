"""What all messages are made of: ids, options, details, and the message itself ("Messages")."""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta, Raw, Struct, field

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


class TracedAttributes(PayloadAttributes):
    """To which trace a publication or call belongs, in custom attributes ("Extensibility"), beside how it is packed.

    Attributes:
        traceparent: ``_traceparent``: W3C's Trace Context, as in the HTTP header of that name.
        tracestate: ``_tracestate``, likewise.
    """

    traceparent: str | None = field(default=None, name="_traceparent")
    tracestate: str | None = field(default=None, name="_tracestate")
