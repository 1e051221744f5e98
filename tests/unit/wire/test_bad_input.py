"""A corpus of bytes that are no WAMP message: each is refused as such, and never with any other error."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import cbor2
import msgpack  # type: ignore[import-untyped]  # ships no types
import pytest
from unit.wire.samples import ENCODE, SAMPLES

from wampgate.wire.errors import InvalidMessage
from wampgate.wire.serializers import CBOR, JSON, MAX_DEPTH, MSGPACK, SERIALIZERS

if TYPE_CHECKING:
    from wampgate.wire.serializers import Serializer


def publish(args: bytes, rest: bytes = b"]") -> bytes:
    """A PUBLISH in JSON with these args, unseen."""
    return b'[16,1,{},"a.b",' + args + rest


PACKED = b"\x95\x10\x01\x80\xa3a.b"
"""The beginning of a PUBLISH with args in MessagePack."""

CBORED = b"\x85\x10\x01\xa0\x63a.b"
"""The same in CBOR."""

BAD_JSON = {
    "nothing": b"",
    "whitespace": b" \n",
    "NUL": b"\0",
    "a word": b"hello",
    "an HTTP request": b"GET / HTTP/1.1\r\n\r\n",
    "a number": b"16",
    "null": b"null",
    "a text": b'"[16]"',
    "a dictionary": b'{"0":16}',
    "an empty list": b"[]",
    "a list in a list": b'[[16,1,{},"a.b"]]',
    "a trailing comma": b'[16,1,{},"a.b",]',
    "single quotes": b"[16,1,{},'a.b']",
    "a comment": b'[16,1,{},"a.b"/**/]',
    "a byte order mark": b'\xef\xbb\xbf[16,1,{},"a.b"]',
    "UTF-16": '[16,1,{},"a.b"]'.encode("utf-16"),
    "two messages": b'[16,1,{},"a.b"][16,2,{},"a.b"]',
    "bytes behind": b'[16,1,{},"a.b"]\0',
    "MessagePack": msgpack.packb([16, 1, {}, "a.b"]),
    "a control character in a text": b'[16,1,{},"a\nb"]',
    "NUL in a text": b'[16,1,{},"a\x00b"]',
    "a bad escape": b'[16,1,{},"a\\x41"]',
    "half an escape": b'[16,1,{},"a\\u12"]',
    "a lone high surrogate": b'[16,1,{},"\\ud800"]',
    "a lone low surrogate": b'[16,1,{},"\\udc00x"]',
    "a lone surrogate in args": publish(b'["\\ud800"]'),
    "a lone surrogate as a key": publish(b'[{"\\ud83d":1}]'),
    "invalid UTF-8": b'[16,1,{},"\xff"]',
    "invalid UTF-8 in args": publish(b'["\xff"]'),
    "invalid UTF-8 in kwargs": publish(b"[]", b',{"\xc3":1}]'),
    "overlong UTF-8": publish(b'["\xc0\xaf"]'),
    "UTF-8 of a surrogate": publish(b'["\xed\xa0\x80"]'),
    "NaN": publish(b"[NaN]"),
    "Infinity": publish(b"[-Infinity]"),
    "1e999": publish(b"[1e999]"),
    "-1e999": publish(b"[-1e999]"),
    "1e999 in details": b'[6,{"x":1e999},"a.b"]',
    "5,000 digits": publish(b"[" + b"9" * 5000 + b"]"),
    "a leading zero": publish(b"[01]"),
    "a leading plus": publish(b"[+1]"),
    "hexadecimal": publish(b"[0x10]"),
    "a big id": b'[16,99999999999999999999,{},"a.b"]',
    "an id with a fraction": b'[16,1.0,{},"a.b"]',
    "an id with an exponent": b'[16,1e0,{},"a.b"]',
    "an id just over the limit": b'[16,9007199254740993,{},"a.b"]',
    "binary data that is no Base64": publish(b'["\\u0000%%%"]'),
    "binary data cut short": publish(b'["\\u0000A"]'),
    "binary data not in ASCII": publish(b'[{"k":"\\u0000\xc3\xa4"}]'),
    "binary data that is no Base64, in kwargs": publish(b"[]", b',{"k":["\\u0000*"]}]'),
    "args of null": publish(b"null"),
    "kwargs of null": publish(b"[]", b",null]"),
    "kwargs of args": publish(b"{}", b",[]]"),
    "deep lists": publish(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)),
    "deep dictionaries": publish(b'[{"a":' * 400 + b"1" + b"}]" * 400),
    "deep options": b'[16,1,{"x":' + b"[" * 500 + b"]" * 500 + b'},"a.b"]',
    "deep details": b'[6,{"x":' + b"[" * 500 + b"]" * 500 + b'},"a.b"]',
    "depth that never ends": publish(b"[" * 100_000),
    "depth behind brackets in a text": publish(b'["' + b"]" * 90 + b'",' + b"[" * 90 + b"]" * 91),
    "depth behind an escaped quote": publish(b'["\\"",' + b"[" * 90 + b"]" * 91),
}

BAD_MSGPACK = {
    "nothing": b"",
    "JSON": b'[16,1,{},"a.b"]',
    "a number": b"\x10",
    "nil": b"\xc0",
    "a map": b"\x81\x00\x10",
    "an empty array": b"\x90",
    "the byte that is never used": b"\xc1",
    "two messages": msgpack.packb([17, 1, 2]) * 2,
    "bytes behind": msgpack.packb([16, 1, {}, "a.b"]) + b"\0",
    "fewer elements than announced": b"\x95\x10\x01\x80\xa3a.b",
    "a length beyond the end": PACKED + b"\xdd\xff\xff\xff\xff",
    "a text beyond the end": PACKED + b"\x91\xdb\xff\xff\xff\xff",
    "invalid UTF-8": b"\x94\x10\x01\x80\xa1\xff",
    "invalid UTF-8 in args": PACKED + b"\x91\xa1\xff",
    "UTF-8 of a surrogate": PACKED + b"\x91\xa3\xed\xa0\x80",
    "a topic of bytes": b"\x94\x10\x01\x80\xc4\x03a.b",
    "an extension": PACKED + b"\x91\xd4\x05\x00",
    "a long extension": PACKED + b"\x91\xc7\x03\x2aabc",
    "an extension in details": b"\x93\x06\x81\xa1x\xd4\x05\x00\xa1a",
    "a timestamp": PACKED + b"\x91" + msgpack.packb(msgpack.Timestamp(0, 0)),
    "a timestamp deep inside": PACKED + b"\x91\x81\xa1t\x91" + msgpack.packb(msgpack.Timestamp(2**33, 5)),
    "a long timestamp": PACKED + b"\x91" + msgpack.packb(msgpack.Timestamp(2**40, 5)),
    "an integer as a key": PACKED + b"\x91\x81\x01\x02",
    "nil as a key": PACKED + b"\x91\x81\xc0\x02",
    "bytes as a key": PACKED + b"\x91\x81\xc4\x01a\x02",
    "a list as a key": PACKED + b"\x91\x81\x91\x01\x02",
    "a map as a key": PACKED + b"\x91\x81\x80\x02",
    "a float as a key, deep inside": PACKED + b"\x91\x91\x81\xa1a\x81\xcb\x3f\xf0\0\0\0\0\0\0\x02",
    "an integer as a key of a big map": PACKED + b"\x91\xde\x00\x01\x01\x02",
    "an integer as a key of kwargs": b"\x96\x10\x01\x80\xa3a.b\x90\x81\x01\x02",
    "an id of 64 bits": b"\x94\x10\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x80\xa3a.b",
    "a negative id": b"\x94\x10\xff\x80\xa3a.b",
    "an id as a float": b"\x94\x10\xcb\x3f\xf0\0\0\0\0\0\0\x80\xa3a.b",
    "kwargs of nil": b"\x96\x10\x01\x80\xa3a.b\x90\xc0",
    "deep lists": PACKED + b"\x91" * (MAX_DEPTH + 1) + b"\xc0",
    "very deep lists": PACKED + b"\x91" * 600 + b"\xc0",
    "deep kwargs": b"\x96\x10\x01\x80\xa3a.b\x90" + b"\x81\xa1a" * 600 + b"\xc0",
    "deep details": b"\x93\x06\x81\xa1x" + b"\x91" * 600 + b"\xc0\xa1a",
    "deep authextra": b"\x93\x01\xa1r\x82\xa5roles\x80\xa9authextra\x81\xa1a" + b"\x91" * 600 + b"\xc0",
    "depth that never ends": PACKED + b"\x91" * 100_000,
}

BAD_CBOR = {
    "nothing": b"",
    "JSON": b'[16,1,{},"a.b"]',
    "a number": b"\x10",
    "null": b"\xf6",
    "a map": b"\xa1\x00\x10",
    "an empty array": b"\x80",
    "an empty array and more": b"\x80\x10",
    "a break": b"\xff",
    "a break in an array": CBORED + b"\xff",
    "a break in args": CBORED + b"\x81\xff",
    "two messages": cbor2.dumps([17, 1, 2]) * 2,
    "bytes behind": cbor2.dumps([16, 1, {}, "a.b"]) + b"\0",
    "bytes behind an indefinite array": b"\x9f\x10\x01\xa0\x63a.b\xff\x00",
    "bytes behind a long header": b"\x98\x04\x10\x01\xa0\x63a.b\x00",
    "an indefinite array without an end": b"\x9f\x10\x01\xa0\x63a.b",
    "fewer elements than announced": b"\x85\x10\x01\xa0\x63a.b",
    "a length beyond the end": CBORED + b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    "a long length": CBORED + b"\x9a\x7f\xff\xff\xff\x01",
    "bytes beyond the end": CBORED + b"\x81\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "a text beyond the end": CBORED + b"\x81\x7a\x7f\xff\xff\xffabc",
    "a reserved length": CBORED + b"\x81\x1c",
    "invalid UTF-8": b"\x84\x10\x01\xa0\x61\xff",
    "invalid UTF-8 in args": CBORED + b"\x81\x61\xff",
    "UTF-8 of a surrogate": CBORED + b"\x81\x63\xed\xa0\x80",
    "a character split over two chunks": CBORED + b"\x81\x7f\x61\xc3\x61\xa4\xff",
    "a topic of bytes": b"\x84\x10\x01\xa0\x43a.b",
    "undefined": CBORED + b"\x81\xf7",
    "undefined for args": CBORED + b"\xf7",
    "undefined deep inside": CBORED + b"\x81\xa1\x61a\x81\xf7",
    "undefined in an indefinite message": b"\x9f\x10\x01\xa0\x63a.b\x9f\xf7\xff\xff",
    "a simple value": CBORED + b"\x81\xe5",
    "a long simple value": CBORED + b"\x81\xf8\xff",
    "a date": CBORED + b"\x81" + b"\xc1\x00",
    "a big integer": CBORED + b"\x81" + cbor2.dumps(2**70),
    "a negative big integer": CBORED + b"\x81" + cbor2.dumps(-(2**70)),
    "a decimal fraction": CBORED + b"\x81\xc4\x82\x21\x19\x6a\xb3",
    "a bigfloat of gigabytes": CBORED + b"\x81\xc5\x82\x1a\x7f\xff\xff\xff\x01",
    "a regular expression": CBORED + b"\x81\xd8\x23\x63(a+",
    "a shared value": CBORED + b"\x81\xd8\x1c\x81\x01",
    "a value that holds itself": CBORED + b"\xd8\x1c\x81\xd8\x1d\x00",
    "a reference to nothing": CBORED + b"\x81\xd8\x1d\x05",
    "a string reference": CBORED + b"\x81\xd9\x01\x00\x82\x63abc\xd8\x19\x00",
    "a set": CBORED + b"\x81\xd9\x01\x02\x81\x01",
    "a self-described message": b"\xd9\xd9\xf7" + cbor2.dumps([16, 1, {}, "a.b"]),
    "an unknown tag": CBORED + b"\x81\xda\x12\x34\x56\x78\x01",
    "a tag in options": b"\x84\x10\x01\xa1\x63foo\xc1\x00\x63a.b",
    "a tag in an indefinite message": b"\x9f\x10\x01\xa0\x63a.b\x81\xc1\x00\xff",
    "a tag for a code": b"\x84\xc2\x41\x10\x01\xa0\x63a.b",
    "an integer as a key": CBORED + b"\x81\xa1\x01\x02",
    "bytes as a key": CBORED + b"\x81\xa1\x41a\x02",
    "bytes as a key, in an indefinite message": b"\x9f\x10\x01\xa0\x63a.b\x81\xa1\x41a\x02\xff",
    "bytes as a key of kwargs": b"\x86\x10\x01\xa0\x63a.b\x80\xa1\x41a\x02",
    "undefined as a key": CBORED + b"\x81\xa1\xf7\x02",
    "a list as a key": CBORED + b"\x81\xa1\x81\x01\x02",
    "an id of 64 bits": b"\x84\x10\x1b\xff\xff\xff\xff\xff\xff\xff\xff\xa0\x63a.b",
    "a negative id": b"\x84\x10\x20\xa0\x63a.b",
    "an id as a float": b"\x84\x10\xf9\x3c\x00\xa0\x63a.b",
    "NaN for an id": b"\x84\x10\xf9\x7e\x00\xa0\x63a.b",
    "kwargs of null": b"\x86\x10\x01\xa0\x63a.b\x80\xf6",
    "deep lists": CBORED + b"\x81" * (MAX_DEPTH + 1) + b"\xf6",
    "deep lists in an indefinite message": b"\x9f\x10\x01\xa0\x63a.b" + b"\x81" * (MAX_DEPTH + 1) + b"\xf6\xff",
    "very deep lists": CBORED + b"\x81" * 5000 + b"\xf6",
    "deep details": b"\x83\x06\xa1\x61x" + b"\x81" * 600 + b"\xf6\x61a",
    "depth without lengths": CBORED + b"\x9f" * 100_000,
}

CORPUS = [
    pytest.param(serializer, data, id=f"{serializer.name}: {name}")
    for serializer, corpus in ((JSON, BAD_JSON), (MSGPACK, BAD_MSGPACK), (CBOR, BAD_CBOR))
    for name, data in corpus.items()
]


@pytest.mark.parametrize(("serializer", "data"), CORPUS)
def test_what_is_no_message_is_refused_as_such(serializer: Serializer, data: bytes) -> None:
    with pytest.raises(InvalidMessage) as refused:
        serializer.decode(data)
    text = str(refused.value)
    assert text.isprintable()
    assert 10 < len(text) < 300
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda serializer: serializer.name)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_message_cut_anywhere_is_refused(serializer: Serializer, name: str) -> None:
    data = ENCODE[serializer](SAMPLES[name])
    for length in range(len(data)):
        with pytest.raises(InvalidMessage):
            serializer.decode(data[:length])


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda serializer: serializer.name)
def test_the_deepest_allowed_message_is_taken(serializer: Serializer) -> None:
    args: Any = [1]
    for _ in range(MAX_DEPTH - 1):
        args = [args]
    _, payload = serializer.decode(ENCODE[serializer]([16, 1, {}, "a.b", args]))
    assert payload.args == args
    with pytest.raises(InvalidMessage, match=f"deeper than {MAX_DEPTH}|depth"):
        serializer.decode(ENCODE[serializer]([16, 1, {}, "a.b", [args]]))


def test_brackets_in_texts_are_no_depth() -> None:
    _, payload = JSON.decode(publish(b'["' + b"[{" * 500 + b'", "\\\\", "\\"' + b"[" * 100 + b'"]'))
    assert len(payload.args) == 3


def test_an_indefinite_message_is_as_deep_as_any_other() -> None:
    deep = b"\x81" * (MAX_DEPTH - 1) + b"\x80"
    assert CBOR.decode(b"\x9f\x10\x01\xa0\x63a.b" + deep + b"\xff")[1].args


def test_a_length_that_lies_takes_no_memory() -> None:
    # 2^63 elements announced in 20 bytes: refused by what is there, not by what is promised.
    tracemalloc.start()
    try:
        for serializer, data in (
            (CBOR, BAD_CBOR["a length beyond the end"]),
            (CBOR, BAD_CBOR["bytes beyond the end"]),
            (CBOR, BAD_CBOR["a text beyond the end"]),
            (MSGPACK, BAD_MSGPACK["a length beyond the end"]),
            (MSGPACK, BAD_MSGPACK["a text beyond the end"]),
        ):
            with pytest.raises(InvalidMessage):
                serializer.decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
