"""Foreign bytes: tolerated where backends write them, refused where they are none, within limits."""

from __future__ import annotations

import json
import math
import pickle
import struct
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.bridge.decoding import MAX_SIZE, decode_json, decode_msgpack
from wampgate.bridge.old_msgpack import decode_old_msgpack
from wampgate.bridge.rules import Undecodable

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
JSON_VALUES = st.recursive(
    SCALARS.filter(
        lambda value: (
            not (isinstance(value, float) and not math.isfinite(value))
            and not (isinstance(value, str) and value.startswith("\0"))
        )
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def kind_of(decode: Any, *arguments: Any) -> str:
    """The kind under which these bytes are counted."""
    with pytest.raises(Undecodable) as caught:
        decode(*arguments)
    return caught.value.dropped.kind


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@given(VALUES)
def test_both_msgpack_decoders_agree_with_the_reference(value: Any) -> None:
    data = msgpack.packb(value)
    assert decode_msgpack(data) == value
    assert decode_old_msgpack(data) == value


@given(VALUES)
def test_old_encoders_are_understood(value: Any) -> None:
    """Without bin types, binary data is told from text only where it isn't UTF-8."""

    def seen(item: Any) -> Any:
        if isinstance(item, bytes):
            try:
                return item.decode()
            except UnicodeDecodeError:
                return item
        if isinstance(item, list):
            return [seen(inner) for inner in item]
        if isinstance(item, dict):
            return {key: seen(inner) for key, inner in item.items()}
        return item

    assert decode_msgpack(msgpack.packb(value, use_bin_type=False)) == seen(value)


@given(st.binary(max_size=300), st.sampled_from([None, "raw", "binary"]))
def test_random_bytes_are_decoded_or_refused(data: bytes, marks: Any) -> None:
    for decode in (
        lambda: decode_msgpack(data, marks),
        lambda: decode_old_msgpack(data, marks),
        lambda: decode_json(data),
    ):
        with suppress(Undecodable):
            decode()


@given(VALUES, st.data())
def test_damaged_msgpack_is_decoded_or_refused(value: Any, data: st.DataObject) -> None:
    packed = bytearray(msgpack.packb([value, value]))
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packed)))
    for damaged in (bytes(packed), bytes(packed[:cut])):
        for marks in (None, "raw", "binary"):
            with suppress(Undecodable):
                decode_msgpack(damaged, marks)  # type: ignore[arg-type]  # a literal, in a loop


@given(JSON_VALUES)
def test_json(value: Any) -> None:
    assert decode_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nonsense",
        b"[1,]",
        b"[1] x",
        b"NaN",
        b"1e999",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        b"9" * 5000,
        pickle.dumps({"text": "hi"}),
        b'O:8:"stdClass":1:{s:4:"text";s:2:"hi";}',
        b'a:1:{s:4:"text";s:2:"hi";}',
    ],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    assert kind_of(decode_json, data) == "undecodable"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x91",
        b"\x81\xa1a",
        b"\xa5hi",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\x00",
        b"\xdb\xff\xff\xff\xffx",
        b"\x01\x02",
        b"\xd4\x00\x00",
        b"\xd6\xff\x00\x00\x00\x01",
        b"\xc7\x03\x05abc",
        b"\x91\xd4\x00\x00",
        b"\x81\x90\x01",
        b"\x81\xc0\x01",
        b"\x81\xc3\x01",
        b"\x81\xa1\xff\x01",
        b"\x81\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\x01",
        pickle.dumps({"text": "hi"}, protocol=4),
    ],
)
def test_what_is_not_msgpack_is_refused(data: bytes) -> None:
    assert kind_of(decode_msgpack, data) == "undecodable"
    assert kind_of(decode_old_msgpack, data) == "undecodable"


def test_no_object_is_ever_made_of_a_pickle() -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("a pickle was read",))

    data = pickle.dumps(Bomb())
    for decode in (decode_json, decode_msgpack, decode_old_msgpack):
        kind_of(decode, data)


def test_depth() -> None:
    assert decode_json(json.dumps(nested(64)).encode()) == nested(64)
    assert kind_of(decode_json, json.dumps(nested(65)).encode()) == "too_deep"
    assert kind_of(decode_json, b"[" * 100_000) == "too_deep"
    assert decode_msgpack(b"\x91" * 64 + b"\x01") == nested(64)
    assert kind_of(decode_msgpack, b"\x91" * 65 + b"\x01") == "too_deep"
    assert kind_of(decode_msgpack, b"\x91" * 100_000 + b"\x01") == "too_deep"
    assert kind_of(decode_msgpack, b"\x81\xa1a" * 65 + b"\x01") == "too_deep"
    # The same through the decoder for what is unusual: the last string is not UTF-8.
    assert decode_msgpack(b"\x91" * 64 + b"\xa1\xff")
    assert kind_of(decode_msgpack, b"\x91" * 65 + b"\xa1\xff") == "too_deep"
    assert kind_of(decode_old_msgpack, b"\x91" * 100_000) == "too_deep"


def test_keys_become_text_as_in_json() -> None:
    assert decode_msgpack(msgpack.packb({1: "a", -2: {b"k": [{3: 4}]}})) == {"1": "a", "-2": {"k": [{"3": 4}]}}
    assert decode_old_msgpack(msgpack.packb({1: "a", b"k": 2})) == {"1": "a", "k": 2}


def test_binary_in_json_is_binary() -> None:
    assert decode_json(b'{"a":["\\u0000AQID","text"]}') == {"a": [b"\x01\x02\x03", "text"]}
    for text in (b"not base64!", "grüß".encode(), b"AQI"):
        assert kind_of(decode_json, b'["\\u0000' + text + b'"]') == "undecodable"


def test_binary_of_todays_encoders_stays_binary() -> None:
    assert decode_msgpack(msgpack.packb([b"abc", "abc"])) == [b"abc", "abc"]
    assert decode_msgpack(msgpack.packb([b"abc", b"\xff" * 40, "abc"])) == [b"abc", b"\xff" * 40, "abc"]


def test_marks_from_before_2013() -> None:
    assert decode_msgpack(bytes.fromhex("92d80003010203a161"), "binary") == [b"\x01\x02\x03", "a"]
    assert decode_msgpack(bytes.fromhex("92d80003616263a161"), "raw") == ["abc", "a"]
    assert decode_msgpack(bytes.fromhex("92d90000000361ff63a161"), "raw") == [b"a\xffc", "a"]
    # msgpack-js's "undefined" makes no sense as today's binary data.
    assert decode_msgpack(bytes.fromhex("92a161c4"), "binary") == ["a", None]
    # Today's meaning goes first.
    assert decode_msgpack(bytes.fromhex("92d903616263c40101"), "binary") == ["abc", b"\x01"]
    assert kind_of(decode_msgpack, bytes.fromhex("92d80003010203a161")) == "undecodable"


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd" + struct.pack(">I", MAX_SIZE - 5) + b"\x90" * (MAX_SIZE - 5),
        b"\xdd" + struct.pack(">I", MAX_SIZE - 7) + b"\x01" * (MAX_SIZE - 7) + b"\xa1\xff",
        b"\xdd" + struct.pack(">I", MAX_SIZE // 2) + b"\xa1\xff" * (MAX_SIZE // 2 - 3),
        b"\xdd\xff\xff\xff\xff" + b"\x80" * (MAX_SIZE - 5),
    ],
)
def test_a_megabyte_of_small_values_is_refused(data: bytes) -> None:
    assert kind_of(decode_msgpack, data, "binary") in ("too_many_values", "undecodable")


def test_a_megabyte_of_json_brackets_is_refused() -> None:
    assert kind_of(decode_json, b"[" + b"[]," * (MAX_SIZE // 3 - 2) + b"[]]") == "too_many_values"


def test_a_megabyte_of_another_script_is_text() -> None:
    text = "ОБЪЯВЛЕНИЕ " * 49_000
    assert decode_msgpack(msgpack.packb([text])) == [text]
    assert decode_json(json.dumps([text], ensure_ascii=False).encode()) == [text]
