"""Every message in every serializer: decoded, encoded to the same bytes, and read back by someone else's decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from unit.wire.samples import DECODE, ENCODE, SAMPLES, outgoing

from wampgate.wire.errors import InvalidMessage
from wampgate.wire.messages import MAX_ID, AnyMessage, Authenticate, Event, EventDetails
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import CBOR, JSON, MSGPACK, SERIALIZER_BY_SUBPROTOCOL, SERIALIZERS

if TYPE_CHECKING:
    from wampgate.wire.serializers import Serializer

each_serializer = pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda serializer: serializer.name)


@each_serializer
@pytest.mark.parametrize("name", SAMPLES)
def test_a_message_decodes_to_what_it_says_and_encodes_to_the_same_bytes(serializer: Serializer, name: str) -> None:
    sample = SAMPLES[name]
    data = ENCODE[serializer](sample)

    message, payload = serializer.decode(data)

    head = msgspec.to_builtins(message.head())
    assert list(head) == sample[: len(head)]
    rest = sample[len(head) :]
    assert list(payload.args) == (rest[0] if rest else [])
    assert payload.kwargs == (rest[1] if len(rest) > 1 else {})
    assert serializer.encode(outgoing(message), payload) == data


@pytest.mark.parametrize("name", SAMPLES)
def test_a_message_goes_from_each_serializer_to_each_other(name: str) -> None:
    for origin in SERIALIZERS:
        message, payload = origin.decode(ENCODE[origin](SAMPLES[name]))
        for target in SERIALIZERS:
            assert DECODE[target](target.encode(outgoing(message), payload)) == SAMPLES[name]


def test_every_message_type_has_a_sample() -> None:
    # Guards the tables above: a new message must not stay untried.
    assert {sample[0] for sample in SAMPLES.values()} == {message.code for message in AnyMessage.__args__}


@each_serializer
@pytest.mark.parametrize("name", SAMPLES)
def test_attributes_and_elements_from_the_future_are_ignored(serializer: Serializer, name: str) -> None:
    sample = [
        {**element, "x_unknown": [1, {"deep": "er"}], "new": 5} if isinstance(element, dict) else element
        for element in SAMPLES[name]
    ]
    message, _ = serializer.decode(ENCODE[serializer](sample))
    assert message.code == sample[0]


@each_serializer
@pytest.mark.parametrize("code", [0, 7, 9, 51, 71, 255, 2**40, -1, True, "1", None, 1.0])
def test_an_unknown_code_is_refused(serializer: Serializer, code: Any) -> None:
    with pytest.raises(InvalidMessage):
        serializer.decode(ENCODE[serializer]([code, 1, {}, "com.example.topic"]))


def _with(name: str, place: int, value: object) -> list[Any]:
    sample = list(SAMPLES[name])
    sample[place] = value
    return sample


@each_serializer
@pytest.mark.parametrize("bad", [0, -1, MAX_ID + 1, 2**63, 2**64 - 1, 1.5, "1", None, True, [1]])
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("WELCOME", 1),
        ("ERROR", 2),
        ("PUBLISH", 1),
        ("PUBLISHED", 2),
        ("SUBSCRIBE", 1),
        ("SUBSCRIBED", 2),
        ("UNSUBSCRIBE", 1),
        ("UNSUBSCRIBE", 2),
        ("EVENT", 1),
        ("EVENT", 2),
        ("CALL", 1),
        ("REGISTER", 1),
        ("UNREGISTER", 2),
        ("INVOCATION", 1),
        ("YIELD", 1),
    ],
)
def test_an_id_is_an_integer_from_1_to_2_to_the_53(serializer: Serializer, name: str, place: int, bad: object) -> None:
    with pytest.raises(InvalidMessage):
        serializer.decode(ENCODE[serializer](_with(name, place, bad)))


@each_serializer
@pytest.mark.parametrize("bad", [5, None, True, [], {}, 1.5])
@pytest.mark.parametrize(
    ("name", "place"),
    [("HELLO", 1), ("ABORT", 2), ("AUTHENTICATE", 1), ("GOODBYE", 2), ("ERROR", 4), ("PUBLISH", 3), ("SUBSCRIBE", 3)],
)
def test_a_text_is_a_text(serializer: Serializer, name: str, place: int, bad: object) -> None:
    with pytest.raises(InvalidMessage):
        serializer.decode(ENCODE[serializer](_with(name, place, bad)))


@each_serializer
@pytest.mark.parametrize("bad", [5, None, True, "x", []])
@pytest.mark.parametrize("name", ["HELLO", "PUBLISH", "SUBSCRIBE", "CALL", "REGISTER", "YIELD", "GOODBYE"])
def test_options_and_details_are_dictionaries(serializer: Serializer, name: str, bad: object) -> None:
    sample = [bad if isinstance(element, dict) else element for element in SAMPLES[name]]
    with pytest.raises(InvalidMessage):
        serializer.decode(ENCODE[serializer](sample))


@each_serializer
@pytest.mark.parametrize("name", SAMPLES)
def test_a_message_that_ends_early_is_refused(serializer: Serializer, name: str) -> None:
    sample = SAMPLES[name]
    required = len(serializer.decode(ENCODE[serializer](sample))[0].head())
    for length in range(required):
        with pytest.raises(InvalidMessage):
            serializer.decode(ENCODE[serializer](sample[:length]))


@each_serializer
@pytest.mark.parametrize("place", [4, 5], ids=["args", "kwargs"])
@pytest.mark.parametrize("bad", [5, None, True, "text", 1.5])
def test_args_is_a_list_and_kwargs_a_dictionary(serializer: Serializer, place: int, bad: object) -> None:
    # kwargs of null pass through stock routers, and then make Autobahn's receivers close their connections.
    sample: list[Any] = [16, 1, {}, "com.example.topic", [], {}]
    sample[place] = bad
    with pytest.raises(InvalidMessage, match=r"Argument"):
        serializer.decode(ENCODE[serializer](sample))


@each_serializer
@pytest.mark.parametrize("attributes", [{"enc_algo": "cryptobox"}, {"ppt_scheme": "x_mine"}])
def test_a_sealed_payload_is_one_element(serializer: Serializer, attributes: dict[str, str]) -> None:
    message, payload = serializer.decode(ENCODE[serializer]([16, 1, attributes, "com.example.topic", "sealed"]))
    assert payload.args == "sealed"
    assert DECODE[serializer](serializer.encode(outgoing(message), payload)) == [
        16,
        1,
        attributes,
        "com.example.topic",
        "sealed",
    ]
    with pytest.raises(InvalidMessage):
        serializer.decode(ENCODE[serializer]([16, 1, attributes, "com.example.topic", 5]))


@each_serializer
def test_empty_args_and_kwargs_are_left_out(serializer: Serializer) -> None:
    event = Event(1, 2, EventDetails(publisher=3))
    cases: list[tuple[Payload, list[Any]]] = [
        (Payload(), []),
        (Payload([], {}), []),
        (Payload((1,)), [[1]]),
        (Payload([], {"k": 1}), [[], {"k": 1}]),
    ]
    for payload, rest in cases:
        assert DECODE[serializer](serializer.encode(event, payload)) == [36, 1, 2, {"publisher": 3}, *rest]


def test_a_payload_passes_through_byte_for_byte_and_is_converted_once() -> None:
    data = b'[16, 1, {}, "a.b", [ 1,  "\\u00e4" ], {"k" : 1.50}]'
    _, payload = JSON.decode(data)
    event = Event(1, 2, EventDetails())
    assert JSON.encode(event, payload).endswith(b'[ 1,  "\\u00e4" ],{"k" : 1.50}]')
    assert payload.parts(MSGPACK) is payload.parts(MSGPACK)
    assert payload.parts(CBOR) is payload.parts(CBOR)


def test_subprotocols_are_the_specification_s() -> None:
    assert set(SERIALIZER_BY_SUBPROTOCOL) == {"wamp.2.json", "wamp.2.msgpack", "wamp.2.cbor"}
    assert [serializer.binary for serializer in SERIALIZERS] == [False, True, True]


def test_a_ticket_is_not_shown_by_repr() -> None:
    assert "canary" not in repr(Authenticate("canary", {"nonce": "canary"}))


@each_serializer
@pytest.mark.parametrize(
    "sample",
    [
        [5, ["canary"], {}],
        [5, "canary", "canary"],
        [5, "canary"],
        [16, 1, {}, "a.b", "canary"],
        [16, 1, {}, "a.b", ["canary"], "canary"],
        [1, "realm1", {"roles": {}, "authextra": ["canary"]}],
        [1, "realm1", {"roles": {}, "authid": ["canary"]}],
    ],
)
def test_what_is_refused_is_not_repeated(serializer: Serializer, sample: list[Any]) -> None:
    with pytest.raises(InvalidMessage) as refused:
        serializer.decode(ENCODE[serializer](sample))
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
