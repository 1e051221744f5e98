"""What the quick ways of reading and writing give is what the full ones give: the same messages, the same refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.wire.in_full import IN_FULL
from unit.wire.samples import ENCODE, SAMPLES
from unit.wire.test_fuzz import PIECES, mutated

from wampgate.wire import serializers
from wampgate.wire.errors import InvalidMessage
from wampgate.wire.messages import (
    NO_EVENT_DETAILS,
    NO_INVOCATION_DETAILS,
    NO_RESULT_DETAILS,
    Event,
    EventDetails,
    Invocation,
    Published,
    Result,
    ResultDetails,
)
from wampgate.wire.payload import Payload
from wampgate.wire.plain_cbor import read_plain
from wampgate.wire.serializers import CBOR, JSON, MSGPACK, SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.wire.messages import Message
    from wampgate.wire.serializers import Serializer

each_serializer = pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda serializer: serializer.name)


def outcome(decode: Callable[[bytes], tuple[Any, Payload]], data: bytes) -> object:
    """All that can be seen of a decoded message, or the words of its refusal. By its text, since NaN is not NaN."""
    try:
        message, payload = decode(data)
    except InvalidMessage as refused:
        return str(refused)
    parts = payload.received
    return repr((type(message), message.head(), payload.args, payload.kwargs, payload.origin, parts))


def same(serializer: Serializer, data: bytes) -> None:
    assert outcome(serializer.decode, data) == outcome(IN_FULL[serializer], data)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=200)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
uris = st.sampled_from(
    ["a", "bench.echo", "ä.ö", "organization.7.news", "x" * 23, "x" * 24, "y" * 255, "y" * 256, "[{"]
)
options = st.sampled_from([{}, {}, {}, {"acknowledge": True}, {"acknowledge": False}, {"x": [[]]}, {"ppt_scheme": "p"}])
args = st.lists(scalars, max_size=20) | st.lists(values, max_size=3) | values
ids = st.sampled_from([0, 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53, 2**53 + 1, -1]) | st.integers(
    1, 2**53
)
kwargs = st.dictionaries(st.text(max_size=4), values, max_size=3)
payloads: st.SearchStrategy[list[Any]] = st.just([]) | st.tuples(args).map(list) | st.tuples(args, kwargs).map(list)


@st.composite
def requests(draw: st.DrawFn) -> list[Any]:
    """A message of the frequent kinds, mostly plain, with ids and payloads from everywhere."""
    kind = draw(st.sampled_from([16, 48, 70]))
    message: list[Any] = [kind, draw(ids), draw(options)]
    if kind != 70:
        message.append(draw(uris))
    return [*message, *draw(payloads), *draw(st.sampled_from([[], [], [], ["more"]]))]


@given(request=requests(), serializer=st.sampled_from(SERIALIZERS))
def test_valid_messages(request: list[Any], serializer: Serializer) -> None:
    same(serializer, ENCODE[serializer](request))


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Serializer, bytes]:
    """A frequent message with a few bytes replaced, inserted, removed, or cut off."""
    serializer = draw(st.sampled_from(SERIALIZERS))
    data = bytearray(ENCODE[serializer](draw(requests())))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 3))] = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    return serializer, bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@settings(max_examples=5 * settings().max_examples)
@given(case=damaged())
def test_damaged_messages(case: tuple[Serializer, bytes]) -> None:
    same(*case)


@given(case=mutated())
def test_mutated_samples(case: tuple[Serializer, bytes]) -> None:
    same(*case)


@given(data=st.binary(max_size=80))
def test_random_bytes(data: bytes) -> None:
    for serializer in SERIALIZERS:
        same(serializer, data)


@each_serializer
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_sample(serializer: Serializer, name: str) -> None:
    same(serializer, ENCODE[serializer](SAMPLES[name]))


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = "x" * 100
    for _ in range(depth):
        value = [value]
    return value


@each_serializer
@pytest.mark.parametrize("depth", [1, 2, 62, 63, 64, 65, 66, 200])
@pytest.mark.parametrize("where", ["args", "behind text", "kwargs", "an option", "in opaque", "an option and args"])
def test_every_depth(serializer: Serializer, depth: int, where: str) -> None:
    deep = nested(depth)
    message: list[Any] = {
        "args": [48, 1, {}, "a.b", deep],
        "behind text": [48, 1, {}, "a.b", ["t" * 200, deep]],
        "kwargs": [48, 1, {}, "a.b", [], {"k": deep}],
        "an option": [48, 1, {"x": deep}, "a.b", ["t"]],
        "in opaque": [48, 1, {"ppt_scheme": "p"}, "a.b", deep],
        "an option and args": [48, 1, {"x": deep}, "a.b", deep],
    }[where]
    same(serializer, ENCODE[serializer](message))


@pytest.mark.parametrize(
    "data",
    [
        b'[48,1,{},"a.b",["x"] ]',
        b' [48 , 1,{}, "a.b" , [ "x" ] ] ',
        b'[48,1,{},"a.b",["\\u0000AA=="]]',
        b'[48,1,{},"a.b",["\\u0000A"]]',
        b'[48,1,{},"a.b",["\\\\u0000A"]]',
        b'[48,1,{},"a.b",["\\n"]]',
        b'[48,1,{},"a.b",[1e999]]',
        b'[48,1,{},"a.b",["\xff"]]',
        b'[48,1,{},"a.b","sealed"]',
        b'[48,1,{},"a.b",null]',
        b'[48,1,{},"a.b",[' + b"[" * 3000 + b"]" * 3000 + b"]]",
        b'[48,1,{},"a.b",[' + b"[" * 3000,
        b'[48,1,{},"a.b",["' + b"[" * 300 + b'"]]',
        b'[48,1,{},"a.b",["' + b"x" * 300 + b'"],[]' + b"]",
        b'[48,1,{"x":' + b"[" * 70 + b"]" * 70 + b'},"a.b",["x"',
        b'[48,1,{"x":' + b" " * 200 + b'[]},"a.b",["x"]]',
    ],
)
def test_json_that_was_thought_of(data: bytes) -> None:
    same(JSON, data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x95\x30\x01\x80\xa3a.b\x91\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\x95\x30\x01\x80\xa3a.b\x91\x81\x01\x02",  # a key that is no text
        b"\x95\x30\x01\x80\xa3a.b\x91\xa1\xff",  # no UTF-8
        b"\x96\x30\x01\x80\xa3a.b\x90\x81\x01\x02",
        b"\x96\x30\x01\x80\xa3a.b\x80\x80",
        b"\x95\x30\x01\x80\xa3a.b\xc4\x01x",
    ],
)
def test_msgpack_that_was_thought_of(data: bytes) -> None:
    same(MSGPACK, data)


CBOR_HEAD = b"\x18\x30\x01\xa0\x63a.b"


@pytest.mark.parametrize(
    "data",
    [
        b"\x85" + CBOR_HEAD + b"\x81\x63abc",
        b"\x85" + CBOR_HEAD + b"\x81\x63abc\x00",  # a byte too many
        b"\x85" + CBOR_HEAD + b"\x81\x63ab",  # one too few
        b"\x85" + CBOR_HEAD + b"\x9f\x63abc\xff",  # of unknown length
        b"\x85" + CBOR_HEAD + b"\x81\x7f\x61a\x61b\xff",
        b"\x85" + CBOR_HEAD + b"\x81\xf7",  # undefined
        b"\x85" + CBOR_HEAD + b"\x81\xf8\x20",  # a simple value
        b"\x85" + CBOR_HEAD + b"\x81\xc2\x41\x01",  # a big number
        b"\x85" + CBOR_HEAD + b"\x81\xa1\x01\x02",
        b"\x85" + CBOR_HEAD + b"\x81\x61\xff",
        b"\x85" + CBOR_HEAD + b"\x60",
        b"\x86" + CBOR_HEAD + b"\x80\xa1\x61k\x81\x01",
        b"\x86" + CBOR_HEAD + b"\x80\x80",
        b"\x84" + CBOR_HEAD,
        b"\x87" + CBOR_HEAD + b"\x80\xa0\x00",
        b"\x98\x05" + CBOR_HEAD + b"\x81\x01",  # a length that is not in the shortest form
        b"\x85\x18\x30\x18\x01\xa0\x63a.b\x80",
        b"\x85\x18\x30\x1b\x00\x00\x00\x00\x00\x00\x00\x01\xa0\x78\x03a.b\x80",
        b"\x85\x18\x30\x1a\x00\x00",
        b"\x85\x18\x30\x01\xa0\x78\xffa.b\x80",
        b"\x85\x18\x30\x01\xa0\x61\xff\x80",
        b"\x85\x10\x01\xa1\x6backnowledge\xf5\x63a.b\x81\x01",
        b"\x85\x10\x01\xa1\x6backnowledge\xf4\x63a.b\x81\x01",
        b"\x84\x18\x46\x01\xa0\x81\x01",
        b"\x18",
        b"\x85\x18",
        b"\x85\x18\x30",
    ],
)
def test_cbor_that_was_thought_of(data: bytes) -> None:
    same(CBOR, data)


def test_the_plain_forms_of_cbor_are_read_by_their_bytes() -> None:
    """The comparison above must not pass because everything goes the full way."""
    for name in ("PUBLISH with args", "CALL with all", "YIELD with all"):
        message = [*SAMPLES[name]]
        message[2] = {}
        assert read_plain(ENCODE[CBOR](message), 64, serializers._HOOKS) is not None
    assert read_plain(ENCODE[CBOR](SAMPLES["CALL with all"]), 64, serializers._HOOKS) is None


outgoing = st.one_of(
    st.builds(Event, st.integers(1, 2**53), st.integers(1, 2**53), st.sampled_from([NO_EVENT_DETAILS, EventDetails()])),
    st.builds(Event, st.integers(1, 300), st.integers(1, 2**53), st.builds(EventDetails, topic=uris)),
    st.builds(Invocation, st.integers(1, 2**53), st.integers(1, 70_000), st.just(NO_INVOCATION_DETAILS)),
    st.builds(Result, st.integers(1, 2**53), st.just(NO_RESULT_DETAILS)),
    st.builds(Result, st.integers(1, 2**53), st.builds(ResultDetails, progress=st.booleans())),
    st.builds(Published, st.integers(1, 2**53), st.integers(1, 2**53)),
)


@given(message=outgoing, payload=payloads)
def test_cbor_is_written_as_in_full(message: Message, payload: list[Any]) -> None:
    made = Payload(*payload) if message.has_payload else Payload()
    with mock.patch.object(serializers, "write_plain", return_value=None):
        in_full = CBOR.encode(message, made)
    assert CBOR.encode(message, made) == in_full
