"""What is read from a channel where anyone may write."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.stores.notifications import Notification, PayloadUnreadable, heartbeat, read


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("", Notification(everything=True)),
        ('{"everything": true}', Notification(everything=True)),
        ('{"users": ["7", "8", "7"]}', Notification(users=frozenset({"7", "8"}))),
        ('{"users" : ["\\u00e4\\"\\\\"]}', Notification(users=frozenset({'ä"\\'}))),
        ('{"users": [], "more": {"x": [1.5, null]}}', Notification()),
        (heartbeat("x\n\"'"), Notification(heartbeat="x\n\"'")),
    ],
)
def test_readable(payload: str, says: Notification) -> None:
    assert read(payload) == says


@pytest.mark.parametrize(
    "payload",
    [
        *("7", "null", "[]", "x", "[" * 8000, '{"x": ' + "[" * 7990, "\ud800", '{"users": ["\ud800"]}'),
        *('{"users": "7"}', '{"users": [7]}', '{"users": ["7"]', "{'users': []}", '{"users": null}'),
        *('{"everything": 1}', '{"heartbeat": 7}'),
    ],
)
def test_unreadable_and_not_repeated(payload: str) -> None:
    with pytest.raises(PayloadUnreadable) as refused:
        read(payload)
    assert str(refused.value) == ""
    assert refused.value.__suppress_context__


@given(st.text())
def test_any_text_is_one_or_the_other(payload: str) -> None:
    with contextlib.suppress(PayloadUnreadable):
        assert isinstance(read(payload), Notification)
