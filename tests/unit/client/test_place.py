"""A subscription's place in the history: nothing twice, nothing out of order, nothing missing without a word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.client.overlap import overlap
from wampgate.client.place import Event, Place, Position

TOPIC = "organization.7"


def page(*publications: int, recovered: bool = True, more: bool = False, epoch: str | None = "a") -> dict[str, Any]:
    events = [{"publication": number, "topic": TOPIC, "args": [number], "kwargs": {}} for number in publications]
    return {
        "events": events,
        "recovered": recovered,
        "more": more,
        "epoch": epoch,
        "position": publications[-1] if publications else None,
    }


def live(number: int) -> Event:
    return Event(TOPIC, number, (number,))


def begun(epoch: str | None = "a") -> Place:
    """A place after its first question."""
    place = Place()
    place.begin()
    assert place.question()["limit"] == 0
    assert place.answered(TOPIC, page(recovered=False, epoch=epoch)) == ([], True, False)
    assert place.resume() == []
    return place


def test_the_first_answer_says_where_to_go_on_and_shows_nothing() -> None:
    place = Place()
    place.begin()
    events, complete, more = place.answered(TOPIC, page(1, 2, recovered=False, more=True))
    assert (events, complete, more) == ([], True, False)
    assert place.position == Position(2, "a")


def test_what_comes_while_it_asks_waits_behind_what_was_missed() -> None:
    place = begun()
    assert place.live(live(1))
    place.begin()
    assert place.question() == {"after_publication": 1, "epoch": "a", "limit": 1000}
    assert not place.live(live(4))
    assert not place.live(live(5))
    events, complete, more = place.answered(TOPIC, page(2, 3, more=True))
    assert ([event.publication for event in events], complete, more) == ([2, 3], True, True)
    assert place.question()["after_publication"] == 3
    events, complete, more = place.answered(TOPIC, page(4))
    assert ([event.publication for event in events], complete, more) == ([4], True, False)
    assert [event.publication for event in place.resume()] == [5]
    assert place.position == Position(5, "a")
    assert events[0].recovered


def test_a_position_that_is_not_known_is_told_and_what_is_there_comes_once() -> None:
    place = begun()
    place.live(live(1))
    place.begin()
    events, complete, _ = place.answered(TOPIC, page(1, 2, recovered=False, epoch="b"))
    assert [event.publication for event in events] == [2]
    assert not complete
    assert place.position == Position(2, "b")


def test_a_topic_without_history_is_told_from_the_second_time_on() -> None:
    place = begun(epoch=None)
    place.begin()
    assert place.answered(TOPIC, page(recovered=False, epoch=None)) == ([], False, False)


def test_an_error_is_told_from_the_second_time_on() -> None:
    place = Place()
    place.begin()
    assert not place.failed()
    place.resume()
    place.begin()
    assert place.failed()


def test_from_another_processs_position() -> None:
    place = Place(Position(5, "a"))
    place.begin()
    assert place.question() == {"after_publication": 5, "epoch": "a", "limit": 1000}
    events, complete, _ = place.answered(TOPIC, page(6))
    assert ([event.publication for event in events], complete) == ([6], True)


@pytest.mark.parametrize("answer", [{}, {"events": None}, {"events": [{}], "recovered": True, "more": False}])
def test_what_is_no_answer(answer: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Place(Position(1, "a")).answered(TOPIC, answer)


@given(st.data())
def test_each_once_and_in_order_however_connections_are_cut(data: st.DataObject) -> None:
    """A naive history, a client that is cut off at any moment: it has each event once, in order."""
    history: list[int] = []
    had: list[int] = []
    place = begun()
    for _ in range(data.draw(st.integers(1, 6))):
        place.begin()
        waiting = []
        for number in range(len(history) + 1, len(history) + 1 + data.draw(st.integers(0, 4))):
            history.append(number)
            if data.draw(st.booleans()):
                waiting.append(number)
                place.live(live(number))
        while True:
            asked = place.question()
            behind = history[asked["after_publication"] or 0 :]
            size = data.draw(st.integers(1, 3))
            answer = page(*behind[:size], more=len(behind) > size)
            answer["position"] = answer["position"] or asked["after_publication"]
            events, complete, more = place.answered(TOPIC, answer)
            assert complete
            had += [event.publication for event in events]
            if not more or (cut := data.draw(st.booleans())):
                break
        if more and cut:
            continue
        had += [event.publication for event in place.resume()]
        for number in range(len(history) + 1, len(history) + 1 + data.draw(st.integers(0, 3))):
            history.append(number)
            assert place.live(live(number))
            had.append(number)
            assert not place.live(live(number))
    place.begin()
    while True:
        asked = place.question()
        answer = page(*history[asked["after_publication"] or 0 :])
        answer["position"] = answer["position"] or asked["after_publication"]
        had += [event.publication for event in place.answered(TOPIC, answer)[0]]
        break
    assert had == history


URIS = st.lists(st.sampled_from(["a", "ab", "b", ""]), min_size=1, max_size=3).map(".".join)
MATCHES = st.sampled_from(["exact", "prefix", "wildcard"])
FULL = st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, max_size=4).map(".".join)


def matches(topic: str, match: str, uri: str) -> bool:
    """The specification's words, naively."""
    if match == "exact":
        return topic == uri
    if match == "prefix":
        return uri.startswith(topic)
    parts, given_parts = topic.split("."), uri.split(".")
    return len(parts) == len(given_parts) and all(not a or a == b for a, b in zip(parts, given_parts, strict=True))


@given(URIS, MATCHES, URIS, MATCHES, FULL)
def test_a_gap_is_never_withheld(topic: str, match: str, other: str, other_match: str, uri: str) -> None:
    if matches(topic, match, uri) and matches(other, other_match, uri):
        assert overlap(topic, match, other, other_match)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("organization.7", "exact"), ("organization.70", "exact")),
        (("organization.7.", "prefix"), ("organization.8", "prefix")),
        (("organization.7", "exact"), ("organization.7.", "prefix")),
        (("organization..news", "wildcard"), ("organization.7.jobs", "exact")),
    ],
)
def test_a_gap_elsewhere_is_not_told(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert not overlap(*one, *other)
    assert not overlap(*other, *one)
