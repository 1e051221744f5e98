"""Random and mutated bytes: refused as InvalidMessage or decoded, and what is decoded makes no receiver fail."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.wire.receivers import AUTOBAHN, reaches_everyone
from unit.wire.samples import DECODE, ENCODE, SAMPLES, outgoing

from wampgate.wire.errors import InvalidMessage
from wampgate.wire.messages import (
    Abort,
    Challenge,
    Error,
    Event,
    EventDetails,
    Goodbye,
    Interrupt,
    InterruptOptions,
    Invocation,
    InvocationDetails,
    Message,
    Published,
    Registered,
    RegistrationRevocationDetails,
    RegistrationRevoked,
    Result,
    ResultDetails,
    Subscribed,
    Unregistered,
    Unsubscribed,
    Welcome,
)
from wampgate.wire.serializers import CBOR, JSON, MSGPACK, SERIALIZERS

if TYPE_CHECKING:
    from wampgate.wire.serializers import Serializer

each_serializer = pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda serializer: serializer.name)

PIECES = [
    *(bytes((byte,)) for byte in (0x00, 0x10, 0x7F, 0x80, 0x9F, 0xA0, 0xC0, 0xC1, 0xC4, 0xC7, 0xD4, 0xD6, 0xD9, 0xDE)),
    *(bytes((byte,)) for byte in (0xDF, 0xF6, 0xF7, 0xF8, 0xF9, 0xFB, 0xFF, 0x5F, 0x7F, 0x9F, 0xBF, 0xC3, 0xED)),
    b"\xd8\x1c\x81\xd8\x1d\x00",
    b"\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\xf9\x7e\x00",
    b"\xd6\xff\x00\x00\x00\x00",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    *(b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"null", b"true", b"1e999", b"1e5", b"-", b"0.0"),
    *(b"\\u0000", b"\\ud800", b"\\u00e4", b'"\\u0000AA=="', b"99999999999999999999", b"[[[[[[[[", b'{"a":'),
]
"""Bytes that mean something to one of the serializers."""


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Serializer, bytes]:
    """A valid message with a few bytes replaced, inserted or removed."""
    serializer = draw(st.sampled_from(SERIALIZERS))
    data = bytearray(ENCODE[serializer](draw(st.sampled_from(sorted(SAMPLES.items())))[1]))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        removed = draw(st.integers(0, 3))
        data[place : place + removed] = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    return serializer, bytes(data)


def _take(serializer: Serializer, data: bytes) -> None:
    try:
        message, payload = serializer.decode(data)
    except InvalidMessage:
        return
    options = getattr(message, "options", None) or getattr(message, "details", None)
    if not getattr(options, "opaque", False):
        assert isinstance(payload.args, list | tuple)
        reaches_everyone(payload)
    for target in SERIALIZERS:
        # All of the message leaves again, though the router writes its own heads.
        if not _holds_a_timestamp(message):
            DECODE[target](target.encode(outgoing(message), payload))


def _holds_a_timestamp(message: Message) -> bool:
    """Details that go nowhere may hold MessagePack's timestamps."""
    return "datetime" in repr(message.head())


@given(data=st.binary(max_size=60))
def test_random_bytes(data: bytes) -> None:
    for serializer in SERIALIZERS:
        _take(serializer, data)


@given(rest=st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=8).map(b"".join))
def test_random_args(rest: bytes) -> None:
    _take(JSON, b'[16,1,{},"a.b",[' + rest + b"]]")
    _take(MSGPACK, b"\x95\x10\x01\x80\xa3a.b" + rest)
    _take(CBOR, b"\x85\x10\x01\xa0\x63a.b" + rest)


@given(case=mutated())
def test_mutated_messages(case: tuple[Serializer, bytes]) -> None:
    _take(*case)


ids = st.integers(1, 2**53)
# Text that begins with NUL is binary data in JSON; no authid and no message of the router's does.
texts = st.text(min_size=1, max_size=20).filter(lambda text: not text.startswith("\0"))
uris = st.from_regex(r"[a-z]{1,5}(\.[a-z0-9_-]{1,5}){0,3}", fullmatch=True)
roles = {"broker": {"features": {"publisher_exclusion": True}}, "dealer": {}}
outgoing_messages = st.one_of(
    st.builds(Welcome, ids, st.fixed_dictionaries({"roles": st.just(roles), "authid": texts, "realm": uris})),
    st.builds(Abort, st.fixed_dictionaries({"message": texts}), uris),
    st.builds(Challenge, st.just("ticket"), st.just({})),
    st.builds(Goodbye, st.fixed_dictionaries({"message": texts}), uris),
    st.builds(Error, st.sampled_from([16, 32, 34, 48, 64, 66]), ids, st.just({}), uris),
    st.builds(Published, ids, ids),
    st.builds(Subscribed, ids, ids),
    st.builds(Unsubscribed, ids),
    st.builds(Registered, ids, ids),
    st.builds(Unregistered, ids),
    st.builds(Result, ids, st.builds(ResultDetails, progress=st.booleans())),
    st.builds(
        Interrupt,
        ids,
        st.builds(InterruptOptions, mode=st.sampled_from(["kill", "killnowait"]), reason=st.none() | uris),
    ),
    st.builds(RegistrationRevoked, st.just(0), st.builds(RegistrationRevocationDetails, registration=ids, reason=uris)),
    st.builds(Event, ids, ids, st.builds(EventDetails, publisher=ids, publisher_authid=texts, topic=uris)),
    st.builds(
        Invocation,
        ids,
        ids,
        st.builds(
            InvocationDetails,
            caller=ids,
            caller_authid=texts,
            caller_authrole=texts,
            procedure=st.none() | uris,
            receive_progress=st.booleans(),
            timeout=st.none() | st.integers(1, 2**31),
        ),
    ),
)


@given(message=outgoing_messages)
def test_autobahn_takes_every_message_that_a_router_sends(message: Message) -> None:
    for serializer in SERIALIZERS:
        data = serializer.encode(message)
        assert DECODE[serializer](data) == list(msgspec.to_builtins(message.head()))
        (parsed,) = AUTOBAHN[serializer].unserialize(data)
        assert message.code == type(parsed).MESSAGE_TYPE


@each_serializer
def test_what_autobahn_sends_is_taken(serializer: Serializer) -> None:
    autobahn: Any = import_module("autobahn.wamp.message")
    role: Any = import_module("autobahn.wamp.role")
    sent = [
        autobahn.Hello("realm1", {"subscriber": role.RoleSubscriberFeatures(pattern_based_subscription=True)}),
        autobahn.Hello(
            "realm1",
            {"caller": role.RoleCallerFeatures()},
            authmethods=["ticket"],
            authid="joe",
            authextra={"organization": "7"},
        ),
        autobahn.Authenticate("secret!", {}),
        autobahn.Abort("wamp.error.protocol_violation", "why"),
        autobahn.Goodbye("wamp.close.normal", "bye"),
        autobahn.Error(68, 1, "com.example.error", args=["x"], kwargs={"a": b"\0\xff"}),
        autobahn.Publish(
            1, "com.example.topic", args=["ä", b"\0"], kwargs={"a": 1}, acknowledge=True, exclude_me=False
        ),
        autobahn.Publish(1, "com.example.topic", exclude=[1], eligible_authid=["joe"], eligible_authrole=["r"]),
        autobahn.Subscribe(1, "com.example", match="prefix"),
        autobahn.Unsubscribe(1, 2),
        autobahn.Call(1, "com.example.add", args=[1, 2.5], kwargs={"n": None}),
        autobahn.Register(1, "com.example.add", match="exact", invoke="single"),
        autobahn.Unregister(1, 2),
        autobahn.Yield(1, args=[b"\xff"]),
    ]
    for message in sent:
        data, is_binary = AUTOBAHN[serializer].serialize(message)
        assert is_binary == serializer.binary
        decoded, payload = serializer.decode(data)
        assert decoded.code == message.MESSAGE_TYPE
        assert list(payload.args) == (getattr(message, "args", None) or [])
        assert payload.kwargs == (getattr(message, "kwargs", None) or {})
