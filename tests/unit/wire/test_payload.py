"""Payloads mean the same whatever the publisher speaks and whatever the receivers speak."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from unit.wire.receivers import reaches_everyone, received, same
from unit.wire.samples import ENCODE

from wampgate.wire.errors import InvalidMessage
from wampgate.wire.messages import Event, EventDetails
from wampgate.wire.payload import (
    NO_PAYLOAD,
    Payload,
    binary_from_json,
    binary_to_json,
    depth_of,
    to_64_bits,
)
from wampgate.wire.serializers import CBOR, JSON, MSGPACK, SERIALIZERS, Serializer

EVENT = Event(1, 2, EventDetails())

numbers = st.integers(-(2**63), 2**64 - 1) | st.integers(-(10**400), 10**400)
scalars = st.none() | st.booleans() | numbers | st.floats() | st.text() | st.binary(max_size=40)
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
plain_args = st.lists(plain, max_size=4)
plain_kwargs = st.dictionaries(st.text(max_size=8), plain, max_size=4)


def as_json_means(value: Any) -> Any:
    """What a value is once it has been JSON, by the specification's rule and common sense."""
    match value:
        case bytes():
            return "\0" + base64.b64encode(value).decode()
        case str() if value.startswith("\0"):
            return as_json_means(value.encode())
        case float() if not math.isfinite(value):
            return None
        case list():
            return [as_json_means(item) for item in value]
        case dict():
            return {key: as_json_means(item) for key, item in value.items()}
    return value


def as_binary_means(value: Any) -> Any:
    """What a value is in a serializer whose integers have 64 bits."""
    match value:
        case bool():
            return value
        case int() if not -(2**63) <= value < 2**64:
            return float(str(value))  # of a text, so that what no float holds is infinite
        case list():
            return [as_binary_means(item) for item in value]
        case dict():
            return {key: as_binary_means(item) for key, item in value.items()}
    return value


def as_received(value: Any, serializer: Serializer) -> Any:
    return as_json_means(value) if serializer is JSON else as_binary_means(value)


def as_sent(value: Any, serializer: Serializer) -> Any:
    """A value that a publisher can send in a serializer, and what it means there."""
    if serializer is not JSON:
        return as_binary_means(value)
    return binary_from_json(json.loads(json.dumps(as_json_means(value))))


@given(args=plain_args, kwargs=plain_kwargs)
@example(args=["\0", "\0AAAA", "\0%"], kwargs={"\0": "\0"})
@example(args=[2**63, 2**64, -(2**63) - 1, 10**400, -(10**400)], kwargs={})
@example(args=[math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7e308], kwargs={})
@example(args=[b"", b"\0", b"\xff" * 1000], kwargs={"": b"x"})
def test_a_payload_means_the_same_to_every_receiver(args: list[Any], kwargs: dict[str, Any]) -> None:
    for origin in SERIALIZERS:
        sent_args, sent_kwargs = as_sent(args, origin), as_sent(kwargs, origin)
        wire_args, wire_kwargs = (
            (as_json_means(sent_args), as_json_means(sent_kwargs)) if origin is JSON else (sent_args, sent_kwargs)
        )
        data = ENCODE[origin]([16, 1, {}, "a.b", wire_args, wire_kwargs])
        _, payload = origin.decode(data)
        assert same(payload.args, sent_args)
        assert same(payload.kwargs, sent_kwargs)
        for target in SERIALIZERS:
            elements = received(target, EVENT, payload)[4:]
            expected = [as_received(sent_args, target)]
            if sent_kwargs or (target is origin):
                expected.append(as_received(sent_kwargs, target))
            if not sent_args and not sent_kwargs and target is not origin:
                expected = []
            assert same(elements, expected), (origin.name, target.name)


@given(args=plain_args, kwargs=plain_kwargs)
def test_what_comes_from_inside_reaches_everyone(args: list[Any], kwargs: dict[str, Any]) -> None:
    # As a bridge or wampgate.publish makes them: values, never encoded before.
    payload = Payload(args, kwargs)
    reaches_everyone(payload)
    for target in SERIALIZERS:
        elements = [*received(target, EVENT, payload)[4:], [], {}]
        assert same(elements[0], as_received(args, target))
        assert same(elements[1] if kwargs else {}, as_received(kwargs, target))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (bytes.fromhex("10e3ff9053075c526f5fc06d4fe37cdb"), '"\\u0000EOP/kFMHXFJvX8BtT+N82w=="'),
        (b"", '"\\u0000"'),
        ("plain", '"plain"'),
        ("a\0b", '"a\\u0000b"'),
        ([b"\xff", {"k": b"\x00"}], '["\\u0000/w==",{"k":"\\u0000AA=="}]'),
    ],
)
def test_binary_in_json(value: Any, text: str) -> None:
    assert JSON.encode_value(value).decode() == text
    assert JSON.decode(b'[16,1,{},"a.b",[' + text.encode() + b"]]")[1].args == [value]


def test_binary_in_json_is_binary_elsewhere() -> None:
    _, payload = JSON.decode(b'[16,1,{},"a.b",["\\u0000/w=="],{"k":"\\u0000AAE="}]')
    for target in (MSGPACK, CBOR):
        assert received(target, EVENT, payload)[4:] == [[b"\xff"], {"k": b"\x00\x01"}]


def test_keys_are_not_binary() -> None:
    _, payload = JSON.decode(b'[16,1,{},"a.b",[{"\\u0000AA==":1}]]')
    assert payload.args == [{"\0AA==": 1}]


def test_text_that_begins_with_nul_goes_to_json_as_bytes() -> None:
    # Any JSON receiver would take it for Base64, and Autobahn's closes its connection if it is none.
    assert binary_to_json("\0not Base64") == binary_to_json(b"\0not Base64")


@pytest.mark.parametrize("text", ["\0%%%", "\0A", "\0ä", "\0AA=", "\0A A=", "\0AAAA\n"])
def test_text_that_claims_to_be_binary_and_is_not_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage, match="Base64"):
        JSON.decode(json.dumps([16, 1, {}, "a.b", [], {"k": [text]}]).encode())


def test_numbers_beyond_64_bits() -> None:
    digits = b"1" + b"0" * 30
    _, payload = JSON.decode(b'[16,1,{},"a.b",[' + digits + b"]]")
    assert payload.args == [10**30]
    assert digits in JSON.encode(EVENT, payload)
    assert same(received(MSGPACK, EVENT, payload)[4], [1e30])
    assert same(received(CBOR, EVENT, payload)[4], [1e30])
    assert to_64_bits([True, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1]) == [
        True,
        2**64 - 1,
        float(2**64),
        -(2**63),
        float(-(2**63) - 1),
    ]
    assert to_64_bits(True) is True


def test_numbers_that_no_float_holds_still_leave() -> None:
    _, payload = JSON.decode(b'[16,1,{},"a.b",[1' + b"0" * 400 + b",-1" + b"0" * 400 + b"]]")
    assert received(MSGPACK, EVENT, payload)[4] == [math.inf, -math.inf]
    assert received(CBOR, EVENT, payload)[4] == [math.inf, -math.inf]


def test_a_number_that_only_cbor_has() -> None:
    _, payload = CBOR.decode(ENCODE[CBOR]([16, 1, {}, "a.b", [-(2**64)]]))
    assert received(JSON, EVENT, payload)[4] == [-(2**64)]
    assert same(received(MSGPACK, EVENT, payload)[4], [float(-(2**64))])


@pytest.mark.parametrize(
    ("value", "depth"),
    [(5, 0), ([], 1), ({}, 1), ([1], 1), ([[]], 2), ([{"a": [1]}, 2], 3), ([1, [2], [[3]]], 3), ({"a": {}}, 2)],
)
def test_depth(value: Any, depth: int) -> None:
    assert depth_of(value, 10) == depth
    assert depth_of(value, max(depth - 1, 0)) == depth


def test_depth_is_counted_without_recursion_and_no_further_than_asked() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert depth_of(value, 64) == 65


def test_no_payload_is_nothing_in_any_serializer() -> None:
    assert [NO_PAYLOAD.parts(serializer) for serializer in SERIALIZERS] == [(), (), ()]
    assert list(NO_PAYLOAD.args) == []
    assert NO_PAYLOAD.kwargs == {}
