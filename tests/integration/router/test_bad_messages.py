"""Bad WAMP messages through the socket: each gets the answer that the specification prescribes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cbor2
import msgpack  # type: ignore[import-untyped]  # it ships no types
import pytest
from conftest import static_configuration
from raw_wamp import SERIALIZERS, Aborted, Peer, WampError, encode, random_name
from raw_websocket import BINARY, TEXT
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VIOLATION = ("wamp.error.protocol_violation", 1002)

# In every serialization: what no client may send in a session.
NO_MESSAGES: list[Any] = [
    {},
    {"0": 32},
    [],
    [[]],
    "text",
    42,
    None,
    True,
    [None],
    ["32", 1, {}, "com.example.t"],
    [32.5, 1, {}, "com.example.t"],
    [True, 1, {}, "com.example.t"],
    [-1, 1, {}, "com.example.t"],
    [0],
    [4],
    [7, {}, "wamp.x"],
    [49, 1],
    [49, 0, {}],
    [49, 1, {"mode": "gently"}],
    [69, 1, {}],
    [255],
    [256, 1, {}],
    [1023],
    [2**31],
    [2**62],
    [32],
    [32, 1],
    [32, 1, {}],
    [32, "1", {}, "com.example.t"],
    [32, None, {}, "com.example.t"],
    [32, True, {}, "com.example.t"],
    [32, 1.5, {}, "com.example.t"],
    [32, 1, [], "com.example.t"],
    [32, 1, None, "com.example.t"],
    [32, 1, "{}", "com.example.t"],
    [32, 1, {}, 7],
    [32, 1, {}, None],
    [32, 1, {}, ["com.example.t"]],
    [32, 1, {"match": "fuzzy"}, "com.example.t"],
    [32, 1, {"match": 1}, "com.example.t"],
    [34, 1, "1"],
    [34, 1],
    [16, 1, {"acknowledge": 1}, "com.example.t"],
    [16, 1, {"exclude": 1}, "com.example.t"],
    [16, 1, {"exclude": ["x"]}, "com.example.t"],
    [16, 1, {"eligible_authid": [1]}, "com.example.t"],
    [16, 1, {"disclose_me": "yes"}, "com.example.t"],
    [16, 1, {}, "com.example.t", {}],
    [16, 1, {}, "com.example.t", None],
    [16, 1, {}, "com.example.t", "text"],
    [16, 1, {}, "com.example.t", 1],
    [16, 1, {}, "com.example.t", [], []],
    [16, 1, {}, "com.example.t", [], 1],
    [48, 1, {"timeout": -1}, "com.example.t"],
    [48, 1, {}, "com.example.t", {}],
    [64, 1, {"invoke": "all"}, "com.example.t"],
    [70, 1, {}],
    [70, 1, {}, [1]],
    [70, 1, {"progress": True}],
    [8, 48, 1, {}, "com.example.error"],
    [8, 32, 1, {}, "com.example.error"],
    [8, 68, 1, {}, "com.example.error"],
    [8, -1, 1, {}, "com.example.error"],
    [6, [], "wamp.close.close_realm"],
    [6, {}, None],
    [1, "realm1", {"roles": {"caller": {}}}],
    [2, 1, {}],
    [4, "ticket", {}],
    [5, "x", {}],
    [17, 1, 1],
    [33, 1, 1],
    [35, 1],
    [36, 1, 1, {}],
    [50, 1, {}],
    [65, 1, 1],
    [67, 1],
    [68, 1, 1, {}],
]
OUT_OF_RANGE = [0, -1, 2**53 + 1, 2**63, -(2**63), 2**64 - 1]
ID_POSITIONS: list[list[Any]] = [
    [32, "ID", {}, "com.example.t"],
    [34, "ID", 1],
    [34, 1, "ID"],
    [16, "ID", {}, "com.example.t"],
    [48, "ID", {}, "com.example.t"],
    [64, "ID", {}, "com.example.t"],
    [66, "ID", 1],
    [66, 1, "ID"],
    [70, "ID", {}],
    [8, 68, "ID", {}, "com.example.e"],
    [16, 1, {"exclude": ["ID"]}, "com.example.t"],
]
NO_JSON = [
    b"",
    b" ",
    b"hello",
    b"[32,1,{},'com.example.t']",
    b'[32,1,{},"com.example.t"',
    b'[32,1,{},"com.example.t"]]',
    b'[32,1,{},"com.example.t"] [6]',
    b'[32,1,{},"com.example.t",]',
    b'[32,01,{},"com.example.t"]',
    b'[16,1,{},"com.example.t",[NaN]]',
    b'[16,1,{},"com.example.t",[Infinity]]',
    b'[16,1,{},"com.example.t",[1e999]]',
    b'[16,1,{},"com.example.t",["\\ud800"]]',
    b'[16,1,{},"com.example.t",["\\x41"]]',
    b'[16,1,{},"com.example.t",["\x01"]]',
    b'[16,1,{},"com.example.t",[.5]]',
    b'[32,99999999999999999999,{},"com.example.t"]',
    b'[32,1e400,{},"com.example.t"]',
    b'\xef\xbb\xbf[32,1,{},"com.example.t"]',
    b'[16,1,{},"com.example.t",' + b"[" * 65 + b"]" * 65 + b"]",
    b'[16,1,{},"com.example.t",[' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]]",
    b"[" * 500_000,
    b'{"a":' * 100_000,
]
NO_MSGPACK = [
    b"",
    b"\xc1",
    b"\x94\x20\x01\x80",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\x94\x20\x01\x80\xdb\xff\xff\xff\xff",
    b"\x94\x20\x01\x80\xa1\xff",
    b"\x94\x20\x01\x80\xa3\xed\xa0\x80",
    b"\x94\x20\x01\x80\xc4\x01a",
    b"\x94\x20\x01\x81\x01\x02\xa1a",
    msgpack.packb([32, 1, {}, "com.example.t"]) + b"\xc0",
    msgpack.packb([16, 1, {}, "com.example.t", [msgpack.ExtType(5, b"x")]]),
    msgpack.packb([16, 1, {}, "com.example.t", [msgpack.Timestamp(1, 1)]]),
    msgpack.packb([16, 1, {}, "com.example.t", [], {1: 2}]),
    msgpack.packb([16, 1, {}, "com.example.t", [], {b"k": 2}]),
    msgpack.packb([16, 1, {}, "com.example.t"])[:-14] + b"\xadcom.example.t\x91\xa2\xc3\x28",
    b"\x95\x10\x01\x80\xadcom.example.t" + b"\x91" * 65 + b"\xc0",
    b"\x95\x10\x01\x80\xadcom.example.t" + b"\x91" * 100_000 + b"\xc0",
    b"\x91" * 500_000,
    b"\x81\xa1a" * 100_000,
]
NO_CBOR = [
    b"",
    b"\xff",
    b"\x84\x18\x20\x01\xa0",
    b"\x9a\xff\xff\xff\xff",
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x84\x18\x20\x01\xa0\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x84\x18\x20\x01\xa0\x61\xff",
    b"\x84\x18\x20\x01\xa0\x41a",
    b"\x84\x18\x20\x01\xa1\x01\x02\x61a",
    cbor2.dumps([32, 1, {}, "com.example.t"]) + b"\xf6",
    # Tags: dates, big numbers, references, sharing, sets, regular expressions, URLs, unknown ones.
    *(
        b"\x85\x10\x01\xa0\x6dcom.example.t\x81" + tag + content
        for tag, content in (
            (b"\xc0", b"\x74" + b"2013-03-21T20:04:00Z"),
            (b"\xc1", b"\x00"),
            (b"\xc2", b"\x49" + b"\x01" * 9),
            (b"\xc4", b"\x82\x01\x01"),
            (b"\xd8\x1c", b"\x81\xd8\x1d\x00"),
            (b"\xd9\x01\x00", b"\x81\xd8\x19\x00"),
            (b"\xd9\x01\x02", b"\x81\x01"),
            (b"\xd8\x23", b"\x66(a+)+$"),
            (b"\xd8\x20", b"\x6ahttp://x.y"),
            (b"\xd9\xff\xff", b"\x00"),
            (b"", b"\xf7"),
            (b"", b"\xf8\xff"),
        )
    ),
    b"\xd9\xd9\xf7\x84\x18\x20\x01\xa0\x61a",
    b"\x86\x10\x01\xa0\x6dcom.example.t\x80\xa1\x01\x02",
    b"\x85\x10\x01\xa0\x6dcom.example.t" + b"\x81" * 70 + b"\xf6",
    b"\x85\x10\x01\xa0\x6dcom.example.t" + b"\x81" * 100_000 + b"\xf6",
    b"\x81" * 500_000,
    b"\x9f" * 100_000,
    b"\xd8\x1c" * 50_000,
]
BAD_URIS = [
    "",
    ".",
    "..",
    "com",  # this one is good: see below
    ".com.example",
    "com.example.",
    "com..example",
    "com.example t",
    " com.example",
    "com.example\t",
    "com.example\n",
    "com.example\u00a0x",
    "com.example\u2028x",
    "com.example#",
    "#",
    "com.example\0",
    "com.example\x1b[31m",
    "com.example\x7f",
    "com.example\x85",
    "a" * 1025,
]
BAD_URIS.remove("com")


@pytest.fixture(scope="module")
def honest(router: RouterProcess) -> Iterator[Peer]:
    """A session that was there before and has nothing to do with it."""
    from conftest import ticket_of
    from raw_wamp import Peer

    with Peer(router.port, timeout=5).join(ticket_of("carol")) as peer:
        yield peer


@pytest.fixture(autouse=True)
def goes_on(router: RouterProcess, honest: Peer) -> Iterator[None]:
    """After each test the daemon serves the one that was there before."""
    yield
    topic = random_name()
    subscription = honest.subscribe(topic)
    publication = honest.publish(topic, ["still here"], exclude_me=False)
    assert honest.event() == [36, subscription, publication, {}, ["still here"]]
    honest.unsubscribe(subscription)
    assert router.running


def short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:40]}…{len(text)}"


def send_raw(peer: Peer, data: bytes) -> None:
    peer.send_frame(TEXT if peer.serializer == "json" else BINARY, data)


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_what_is_no_message_aborts_the_session(connect: Callable[..., Peer], serializer: str) -> None:
    wrong = []
    for message in NO_MESSAGES:
        peer = connect(serializer=serializer).join("the-ticket-of-alice")
        send_raw(peer, encode(serializer, message))
        answer = peer.aborted()
        if answer != VIOLATION:
            wrong.append((message, answer))
        peer.close()
    assert not wrong


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_ids_out_of_range_abort_the_session(connect: Callable[..., Peer], serializer: str) -> None:
    for bad in OUT_OF_RANGE:
        for template in ID_POSITIONS:
            message = [bad if element == "ID" else element for element in template]
            if isinstance(message[2], dict) and "exclude" in message[2]:
                message[2] = {"exclude": [bad]}
            peer = connect(serializer=serializer).join("the-ticket-of-alice")
            send_raw(peer, encode(serializer, message))
            assert peer.aborted() == VIOLATION, message
            peer.close()


@pytest.mark.parametrize(
    ("serializer", "data"),
    [
        *(("json", data) for data in NO_JSON),
        *(("msgpack", data) for data in NO_MSGPACK),
        *(("cbor", data) for data in NO_CBOR),
    ],
    ids=lambda value: value if isinstance(value, str) else short(value),
)
@pytest.mark.parametrize("established", [True, False], ids=["established", "opening"])
def test_bytes_that_are_no_message_abort_the_session(
    connect: Callable[..., Peer], serializer: str, data: bytes, established: bool
) -> None:
    peer = connect(serializer=serializer)
    if established:
        peer.join("the-ticket-of-alice")
    send_raw(peer, data)
    assert peer.aborted() == VIOLATION


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_nothing_comes_before_hello(connect: Callable[..., Peer], serializer: str) -> None:
    messages: list[list[Any]] = [
        [2, 1, {}],
        [4, "ticket", {}],
        [5, "x", {}],
        [6, {}, "wamp.close.close_realm"],
        [8, 48, 1, {}, "com.example.e"],
        [16, 1, {"acknowledge": True}, "com.example.t"],
        [17, 1, 1],
        [32, 1, {}, "com.example.t"],
        [33, 1, 1],
        [34, 1, 1],
        [35, 1],
        [36, 1, 1, {}],
        [48, 1, {}, "com.example.t"],
        [50, 1, {}],
        [64, 1, {}, "com.example.t"],
        [65, 1, 1],
        [66, 1, 1],
        [67, 1],
        [68, 1, 1, {}],
        [70, 1, {}],
    ]
    for message in messages:
        peer = connect(serializer=serializer)
        peer.send(*message)
        assert peer.aborted() == VIOLATION, message
        peer.close()


@pytest.mark.parametrize(
    "details",
    [None, {}, [], {"roles": None}, {"roles": []}, {"roles": {}}, {"roles": {"broker": {}}}, {"roles": {"caller": 1}}]
    + [{"roles": {"caller": {}}, key: value} for key, value in (("authid", 7), ("authmethods", "ticket"))]
    + [{"roles": {"caller": {}}, "authextra": []}, {"roles": {"caller": {"features": []}}}],
    ids=str,
)
def test_a_hello_without_what_it_needs_is_a_violation(connect: Callable[..., Peer], details: object) -> None:
    peer = connect()
    peer.send(1, "realm1", details)
    assert peer.aborted() == VIOLATION


def test_a_second_hello_aborts_and_takes_everything_away(join: Callable[..., Peer]) -> None:
    topic = random_name()
    alice, bob = join("alice"), join("bob")
    alice.subscribe(topic)
    alice.register(topic)
    publish = alice.framed([16, 9, {"exclude_me": False}, topic, ["after the end"]])
    subscribed = bob.subscribe(topic)
    alice.send_bytes(alice.framed([1, "realm1", {"roles": {"caller": {}}}]) + publish)
    assert alice.aborted() == VIOLATION
    with pytest.raises(WampError) as gone:
        bob.call(topic)
    assert gone.value.uri == "wamp.error.no_such_procedure"
    assert bob.events() == []
    bob.unsubscribe(subscribed)


def test_authenticating_out_of_turn(connect: Callable[..., Peer]) -> None:
    for messages in (
        [[1, "realm1", {"roles": {"caller": {}}, "authmethods": ["ticket"]}], [5, "the-ticket-of-alice", {}]],
        [[1, "realm1", {"roles": {"caller": {}}, "authmethods": ["ticket"]}]] * 2,
    ):
        peer = connect()
        peer.send_bytes(b"".join(peer.framed(message) for message in messages))
        answers = [peer.receive()]
        if answers[0][0] == 4:
            answers.append(peer.receive())
        # An AUTHENTICATE that was sent with HELLO may come after the CHALLENGE: then it answers it.
        assert answers[-1][0] in (2, 3), answers
        if messages[0] == messages[1]:
            assert answers[-1][2] == VIOLATION[0]
        peer.close()


def test_a_second_ticket_is_not_taken(connect: Callable[..., Peer]) -> None:
    peer = connect()
    peer.hello(authmethods=["ticket"])
    assert peer.receive() == [4, "ticket", {}]
    peer.send_bytes(peer.framed([5, "wrong", {}]) + peer.framed([5, "the-ticket-of-alice", {}]))
    answers = peer.aborted()
    assert answers[0] in ("wamp.error.authentication_denied", VIOLATION[0])


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_bad_uris_are_errors_and_the_session_lives_on(join: Callable[..., Peer], serializer: str) -> None:
    alice = join("alice", serializer)
    for bad in BAD_URIS:
        for request in (
            alice.subscribe,
            alice.publish,
            alice.call,
            alice.register,
        ):
            with pytest.raises(WampError) as refused:
                request(bad)
            assert refused.value.uri == "wamp.error.invalid_uri", bad
    with pytest.raises(WampError) as refused:
        alice.subscribe("com example..", match="wildcard")
    assert refused.value.uri == "wamp.error.invalid_uri"
    assert alice.subscribe("com.example.still.here") > 0


def test_a_bad_realm_is_a_refusal(connect: Callable[..., Peer]) -> None:
    for realm, reason in (
        ("", "invalid_uri"),
        ("a b", "invalid_uri"),
        ("realm1.", "invalid_uri"),
        ("x", "no_such_realm"),
    ):
        with pytest.raises(Aborted) as aborted:
            connect().join(None, realm=realm)
        assert aborted.value.reason == f"wamp.error.{reason}"


def test_a_bad_uri_without_acknowledge_stays_silent(join: Callable[..., Peer]) -> None:
    alice = join("alice")
    alice.send(16, alice.next_request(), {}, "bad uri", [1])
    assert alice.publish(random_name()) > 0


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_unknown_attributes_and_elements_are_ignored(join: Callable[..., Peer], serializer: str) -> None:
    alice = join("alice", serializer)
    topic = random_name()
    alice.subscribe(topic, unknown_option=[1], _private={"x": None})
    request = alice.next_request()
    alice.send(16, request, {"acknowledge": True, "exclude_me": False, "zzz": None}, topic, [1], {"k": 2}, "more", 7)
    assert alice.answer(17, 16, request)[1] == request
    assert alice.event()[4:] == [[1], {"k": 2}]


def test_json_that_is_unusual_but_right(join: Callable[..., Peer]) -> None:
    alice = join("alice")
    topic = random_name()
    alice.subscribe(topic)
    for number, text in enumerate(
        (
            '["\\u0041\\ud83d\\ude00", 1E2, -0.0, 1e-999, {"a":1,"a":2}]',
            " [ \n1 ,\t[ ] , { } ]\r\n",
            json.dumps(["[" * 200 + "{" * 200]),
            json.dumps([[[[[[[[[]]]]]]]]]),
            str([10**30]),
        )
    ):
        request = alice.next_request()
        message = f'\n[16 , {request},{{"acknowledge":true,"exclude_me":false}},"{topic}",{text}]  '
        alice.send_frame(TEXT, message.encode())
        alice.answer(17, 16, request)
        assert alice.event()[4] == json.loads(text), number


def test_the_log_says_who_broke_the_protocol_and_not_what_was_sent() -> None:
    # A router of its own: of such lines the log takes only so many at a time, and the tests above have used them up.
    with RouterProcess(static_configuration()) as process:
        with Peer(process.port).join("the-ticket-of-alice") as peer:
            address = "{}:{}".format(*peer.socket.getsockname())
            peer.send(16, 1, {}, "com.example.t", "a payload that is private")
            peer.aborted()
        log = process.wait_for_log(f"protocol violation by {address}")
    assert "a payload that is private" not in log
