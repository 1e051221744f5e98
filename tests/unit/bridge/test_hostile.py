"""Whatever bytes come on Redis: no rule raises anything but what it may, and none publishes elsewhere."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.bridge.hostile import CHANNELS, check, corpus

CORPUS = corpus()


@pytest.mark.parametrize("message", CORPUS, ids=range(len(CORPUS)))
def test_corpus(message: bytes) -> None:
    for channel in CHANNELS:
        check(channel, message)


@given(st.sampled_from(CHANNELS) | st.text(max_size=40), st.binary(max_size=200))
def test_random_bytes(channel: str, message: bytes) -> None:
    check(channel, message)


@given(st.sampled_from(CHANNELS), st.sampled_from(CORPUS), st.data())
def test_damaged_messages(channel: str, message: bytes, data: st.DataObject) -> None:
    damaged = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    check(channel, bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


KEYS = (
    *("type", "nsp", "data", "packet", "opts", "rooms", "except", "method", "event", "room", "skip_sid", "sid"),
    *("binary", "namespace", "socket", "stream", "meta", "exclude_socket", "command", "payload", "identifier"),
    *("_placeholder", "num"),
)
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["organization.7", "/", "news", "emit", "disconnect", "emitter"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(CHANNELS), ODD)
def test_odd_values_in_known_places(channel: str, value: object) -> None:
    check(channel, msgspec.json.encode(value))
    try:
        check(channel, msgspec.msgpack.encode(value))
    except OverflowError:
        return
