"""Pages of large events: each fits into a message that a client takes, and none is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.history.recovering import RECOVER, configuration, joined, kept, numbers, recover_all
from raw_wamp import SERIALIZERS, encode
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer

MESSAGE = 2**20
PAGE = 64 << 10
# What an answer holds beside its events' payloads: a few hundred bytes for each of them, and its own names.
BESIDE = 1_000


def routing() -> RouterProcess:
    return RouterProcess(configuration(kept(bytes=2**25)))


def pages(peer: Peer, serializer: str, after: int) -> list[tuple[int, dict[str, Any]]]:
    """Every page behind a position, each with the length of its message."""
    found: list[tuple[int, dict[str, Any]]] = []
    more = True
    while more:
        message = peer.result(peer.start_call(RECOVER, [], {"topic": "com.a", "after_publication": after}))
        answer: dict[str, Any] = message[4]
        assert answer["recovered"]
        found.append((len(encode(serializer, message)), answer))
        more, after = answer["more"], answer["position"]
    return found


def values(found: list[tuple[int, dict[str, Any]]]) -> list[int]:
    return [event["args"][0] for _, answer in found for event in answer["events"]]


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_a_page_holds_as_many_as_fit(connect: Callable[..., Peer], serializer: str) -> None:
    with routing() as router:
        backend = joined(connect(router, serializer), "backend")
        first = backend.publish("com.a", [0])
        for number in range(1, 41):
            backend.publish("com.a", [number, "x" * 5_000])
        found = pages(joined(connect(router, serializer), "alice"), serializer, first)
        assert values(found) == list(range(1, 41))
        assert all(length <= PAGE + BESIDE for length, _ in found)
        # 12 of them make a page.
        assert len(found) == 4


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_the_longest_event_that_can_be_published_can_be_recovered(
    connect: Callable[..., Peer], serializer: str
) -> None:
    with routing() as router:
        backend = joined(connect(router, serializer), "backend")
        first = backend.publish("com.a", [0])
        # The whole PUBLISH is as long as a message may be.
        around = len(encode(serializer, [16, 3, {"acknowledge": True}, "com.a", [2, "x" * 70_000]])) - 70_000
        backend.publish("com.a", [1])
        backend.publish("com.a", [2, "x" * (MESSAGE - around)])
        backend.publish("com.a", [3])
        alice = joined(connect(router, serializer), "alice")
        found = pages(alice, serializer, first)
        assert values(found) == [1, 2, 3]
        # It has a page of its own: what would make the message longer still comes before and after it.
        assert [len(answer["events"]) for _, answer in found] == [1, 1, 1]
        assert max(length for length, _ in found) <= MESSAGE + BESIDE


def test_what_another_serializer_writes_longer_stays_bounded(connect: Callable[..., Peer]) -> None:
    with routing() as router:
        backend = joined(connect(router, "msgpack"), "backend")
        first = backend.publish("com.a", [0])
        # One byte in MessagePack is six in JSON, and a third more in base64.
        for number in range(1, 31):
            backend.publish("com.a", [number, "\x01" * 10_000 if number % 2 else b"\x00" * 10_000])
        found = pages(joined(connect(router), "alice"), "json", first)
        assert values(found) == list(range(1, 31))
        assert max(length for length, _ in found) <= 6 * (PAGE + BESIDE)


def test_a_long_way_of_the_longest_events(connect: Callable[..., Peer]) -> None:
    with routing() as router:
        backend = joined(connect(router), "backend")
        first = backend.publish("com.a", [0])
        for number in range(1, 17):
            backend.publish("com.a", [number, "x" * 1_000_000])
        alice = joined(connect(router), "alice")
        assert numbers(recover_all(alice, "com.a", first)) == list(range(1, 17))
