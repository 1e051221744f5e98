"""The specification's own vectors for single messages, in each serializer.

They are not part of this repository. They are looked for where WAMP_VECTORS
says, else in ``shared/wamp-spec/vectors`` beside the clone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from unit.wire.samples import DECODE, ENCODE, outgoing

from wampgate.wire.errors import InvalidMessage
from wampgate.wire.messages import AnyMessage
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import SERIALIZERS

if TYPE_CHECKING:
    from wampgate.wire.messages import Message
    from wampgate.wire.serializers import Serializer

REPOSITORY: Final = Path(__file__).parents[3]
VECTORS: Final = Path(os.environ.get("WAMP_VECTORS") or REPOSITORY.parent / "shared/wamp-spec/vectors")

FIELD_BY_NAME: Final = {
    "request_id": "request",
    "subscription_id": "subscription",
    "publication_id": "publication",
    "registration_id": "registration",
    "session_id": "session",
}
"""Where the vectors have other names than the specification's text."""

TYPE_BY_CODE: Final[dict[int, Any]] = {message.code: message for message in AnyMessage.__args__}
SAMPLES: Final = [
    (f"{path.stem}: {sample['description']}", sample)
    for path in sorted((VECTORS / "singlemessage").glob("*/*.json"))
    # Acknowledged delivery is Autobahn's own and not announced here.
    if path.stem != "eventreceived"
    for sample in json.loads(path.read_text())["samples"]
]
ENCODED: Final = [
    pytest.param(serializer, sample, id=f"{serializer.name} {name}")
    for name, sample in SAMPLES
    if "serializers" in sample
    for serializer in SERIALIZERS
]
LISTS: Final = [
    pytest.param(serializer, sample, id=f"{serializer.name} {name}")
    for name, sample in SAMPLES
    if "wmsg" in sample
    for serializer in SERIALIZERS
]


def test_the_vectors_are_there() -> None:
    if not SAMPLES:
        pytest.skip(f"the specification's vectors are not at {VECTORS}: set WAMP_VECTORS to where they are")
    assert len({sample["expected_attributes"]["message_type"] for _, sample in SAMPLES if "serializers" in sample}) == (
        len(TYPE_BY_CODE)
    )
    assert len(LISTS) > 3 * 50


def _expected(sample: dict[str, Any]) -> tuple[Message, Payload]:
    """The message that a vector describes, made of its attributes and not by any decoder of ours."""
    attributes = dict(sample["expected_attributes"])
    message_type = TYPE_BY_CODE[attributes.pop("message_type")]
    args, kwargs = attributes.pop("args", None) or [], attributes.pop("kwargs", None)
    if attributes.get("payload"):
        args = bytes.fromhex(attributes["payload"])
    attributes.pop("payload", None)
    if "roles" in attributes:
        attributes["details"] = {"roles": attributes.pop("roles")}
    elements = {FIELD_BY_NAME.get(name, name): value for name, value in attributes.items()}
    assert set(elements) == set(message_type.__struct_fields__) - {"args", "kwargs"}
    converted = [
        msgspec.convert(elements[field.name], field.type)
        for field in msgspec.structs.fields(message_type)
        if field.name in elements
    ]
    return message_type(*converted), Payload(args, kwargs)


def _canonical(serializer: Serializer, sample: dict[str, Any]) -> list[bytes]:
    found = [bytes.fromhex(form["bytes_hex"]) for form in sample["serializers"][serializer.name]]
    assert found
    return found


@pytest.mark.parametrize(("serializer", "sample"), ENCODED)
def test_canonical_bytes_decode_to_the_attributes(serializer: Serializer, sample: dict[str, Any]) -> None:
    message, payload = _expected(sample)
    for data in _canonical(serializer, sample):
        decoded, decoded_payload = serializer.decode(data)
        assert outgoing(decoded) == message
        assert decoded_payload.args == payload.args or (not decoded_payload.args and not payload.args)
        assert decoded_payload.kwargs == payload.kwargs


@pytest.mark.parametrize(("serializer", "sample"), ENCODED)
def test_the_message_encodes_to_canonical_bytes(serializer: Serializer, sample: dict[str, Any]) -> None:
    message, payload = _expected(sample)
    data = serializer.encode(message, payload)
    # The order of a dictionary's keys "is undefined (left to the serializer being used)",
    # and the vectors themselves order the same attributes in two ways: so the same keys
    # and values in another order are the same bytes in another order.
    assert any(
        data == canonical
        or (sorted(data) == sorted(canonical) and DECODE[serializer](data) == DECODE[serializer](canonical))
        for canonical in _canonical(serializer, sample)
    ), data


@pytest.mark.parametrize(("serializer", "sample"), LISTS)
def test_options_and_details_are_validated(serializer: Serializer, sample: dict[str, Any]) -> None:
    data = ENCODE[serializer](sample["wmsg"])
    if "expected_error" in sample:
        with pytest.raises(InvalidMessage) as refused:
            serializer.decode(data)
        assert sample["expected_error"]["contains"] in str(refused.value)
    else:
        message, payload = serializer.decode(data)
        sent = DECODE[serializer](serializer.encode(outgoing(message), payload))
        # What is told anyway need not be said.
        told = {"acknowledge": False, "exclude_me": True, "retain": False, "match": "exact", "get_retained": False}
        expected = [
            {key: value for key, value in element.items() if told.get(key) != value}
            if isinstance(element, dict)
            else element
            for element in sample["wmsg"]
        ]
        assert sent == expected
