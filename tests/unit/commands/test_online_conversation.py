"""A command's session speaks WAMP as it is written, and survives whatever may answer."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from autobahn.wamp.exception import ApplicationError, TransportLost
from autobahn.wamp.types import SubscribeOptions

from wampgate.client.joining import KEYWORDS
from wampgate.client.link import Address, Ears
from wampgate.commands.conversation import Answer, Conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from wampgate.client.plan import End


class Other:
    """What the conversation is told by, and what it has said."""

    def __init__(self, ticket: str | None = "secret", **more: Any) -> None:
        self.said: list[list[Any]] = []
        self.joined: list[Any] = []
        self.revoked: list[tuple[int, str]] = []
        self.ends: list[End] = []
        self.closed = 0
        self.ears = Ears(self.joined.append, lambda *what: self.revoked.append(what), lambda: None, self.ends.append)
        address = Address("ws://127.0.0.1/ws", "realm1", more.pop("authid", None))
        self.conversation = Conversation(
            address, ticket, self.ears, send=lambda text: self.said.append(json.loads(text)), close=self.close, **more
        )

    def close(self) -> None:
        self.closed += 1

    def says(self, *message: Any) -> None:
        self.conversation.take(json.dumps(message))


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_it_joins_with_a_ticket() -> None:
    other = Other(authid="joe")
    other.conversation.begin()
    kind, realm, details = other.said[0]
    assert (kind, realm, details["authmethods"], details["authid"]) == (1, "realm1", ["ticket"], "joe")
    assert not details["agent"].startswith("AutobahnPython")
    other.says(4, "ticket", {})
    assert other.said[1] == [5, "secret", {}]
    other.says(2, 7, {"roles": {}})
    assert other.joined == [other.conversation]


def test_it_joins_without_one() -> None:
    other = Other(ticket=None)
    other.conversation.begin()
    assert "authmethods" not in other.said[0][2]


def test_abort_and_goodbye_are_told() -> None:
    other = Other()
    other.says(3, {"message": "no such token"}, "wamp.error.authentication_denied")
    other.ears.end(other.ears._said)
    assert (other.ends[0].reason, other.ends[0].message, other.closed) == (
        "wamp.error.authentication_denied",
        "no such token",
        1,
    )
    other = Other()
    other.says(6, {}, "wamp.close.killed")
    assert other.said == [[6, {}, "wamp.close.goodbye_and_out"]]
    assert other.closed == 1


NAMES = {"options": 1, "procedure": 2, "topic": 3, "self": 4, "fun": 5, "args": 6, "details": 7}


def test_any_keyword_argument_goes_both_ways() -> None:
    async def work() -> None:
        other = Other()
        asking = asyncio.ensure_future(other.conversation.ask("com.example.a", [1], NAMES))
        await asyncio.sleep(0)
        assert other.said == [[48, 1, {}, "com.example.a", [1], NAMES]]
        other.says(50, 1, {}, [2, 3], NAMES)
        assert await asking == Answer([2, 3], NAMES)
        heard: list[Any] = []
        subscribing = other.conversation.subscribe(
            lambda *args, **kwargs: heard.append((args, kwargs)), "com.example.", SubscribeOptions(match="prefix")
        )
        assert other.said[-1] == [32, 2, {"match": "prefix"}, "com.example."]
        other.says(33, 2, 9)
        other.says(36, 9, 11, {}, [1], NAMES)
        assert heard == [((1,), {KEYWORDS: NAMES})]
        assert (await subscribing).id == 9

    run(work)


def test_the_shortest_form_is_sent() -> None:
    async def work() -> None:
        other = Other()
        tasks = [
            asyncio.ensure_future(other.conversation.tell("com.example.a", [], {}, {})),
            asyncio.ensure_future(other.conversation.tell("com.example.a", [1], None, {"retain": True})),
            asyncio.ensure_future(other.conversation.tell("com.example.a", [], {"a": 1}, {})),
        ]
        await asyncio.sleep(0)
        other.conversation.tell_only("com.example.a", [], {}, {})
        assert [message[2:] for message in other.said] == [
            [{"acknowledge": True}, "com.example.a"],
            [{"retain": True, "acknowledge": True}, "com.example.a", [1]],
            [{"acknowledge": True}, "com.example.a", [], {"a": 1}],
            [{}, "com.example.a"],
        ]
        other.says(17, 2, 22)
        other.says(17, 1, 21)
        assert [await task for task in tasks[:2]] == [21, 22]
        tasks[2].cancel()

    run(work)


def test_an_error_is_its_questions() -> None:
    async def work() -> None:
        other = Other()
        asking = asyncio.ensure_future(other.conversation.ask("com.example.a"))
        await asyncio.sleep(0)
        other.says(8, 48, 1, {}, "com.example.error", ["why"], {"error": 1, "callee": 2})
        with pytest.raises(ApplicationError) as failed:
            await asking
        assert (failed.value.error, failed.value.args, failed.value.kwargs) == (
            "com.example.error",
            ("why",),
            {"error": 1, "callee": 2},
        )

    run(work)


def test_progressive_results_come_one_by_one() -> None:
    async def work() -> None:
        other = Other()
        shown: list[Answer] = []
        asking = asyncio.ensure_future(other.conversation.ask("com.example.a", on_progress=shown.append))
        await asyncio.sleep(0)
        assert other.said[0][2] == {"receive_progress": True}
        other.says(50, 1, {"progress": True}, [1])
        other.says(50, 1, {"progress": True})
        other.says(50, 1, {}, [3])
        assert await asking == Answer([3])
        assert shown == [Answer([1]), Answer()]

    run(work)


def test_a_question_that_is_given_up_is_cancelled() -> None:
    async def work() -> None:
        other = Other()
        asking = asyncio.ensure_future(other.conversation.ask("com.example.a"))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert other.said[-1] == [49, 1, {"mode": "killnowait"}]
        other.says(8, 48, 1, {}, "wamp.error.canceled")

    run(work)


def test_a_lost_connection_answers_nothing_more() -> None:
    async def work() -> None:
        other = Other()
        asking = asyncio.ensure_future(other.conversation.ask("com.example.a"))
        await asyncio.sleep(0)
        other.conversation.lost()
        with pytest.raises(TransportLost):
            await asking
        with pytest.raises(TransportLost):
            await other.conversation.ask("com.example.a")
        with pytest.raises(TransportLost):
            await other.conversation.subscribe(print, "com.example.a", None)
        with pytest.raises(TransportLost):
            other.conversation.tell_only("com.example.a", [], {}, {})
        assert len(other.said) == 1

    run(work)


def test_subscriptions_end_when_they_are_taken_back_or_given_up() -> None:
    async def work() -> None:
        other = Other(get_retained=True)
        heard: list[Any] = []
        subscribing = other.conversation.subscribe(heard.append, "com.example.a", None)
        assert other.said[-1][2] == {"get_retained": True}
        other.says(33, 1, 9)
        one = await subscribing
        other.says(35, 0, {"subscription": 9, "reason": "wamp.error.not_authorized"})
        assert (other.revoked, one.active) == ([(9, "wamp.error.not_authorized")], False)
        other.says(36, 9, 11, {}, [1])
        assert heard == []
        again = other.conversation.subscribe(heard.append, "com.example.b", None)
        other.says(33, 2, 10)
        ending = asyncio.ensure_future((await again).unsubscribe())
        await asyncio.sleep(0)
        assert other.said[-1] == [34, 3, 10]
        other.says(35, 3)
        await ending

    run(work)


def test_a_mistake_in_a_handler_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        other = Other()
        subscribing = other.conversation.subscribe(lambda: None, "com.example.a", None)
        other.says(33, 1, 9)
        await subscribing
        other.says(36, 9, 11, {}, ["one too many"])
        assert other.closed == 0

    run(work)
    assert "could not be handled" in caplog.text


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", "[]", "null", '"text"', "[99]", "[36]", "[50]", "[50, 1, 7]", "[3, 7]", "[8, 1]", "[" * 9999],
)
def test_what_does_not_speak_wamp_ends_the_session(text: str) -> None:
    other = Other()
    other.conversation.take(text)
    assert other.closed == 1
    assert other.ears._said is not None
    assert other.ears._said.reason == "wamp.error.protocol_violation"


def test_answers_to_questions_that_nobody_asked_are_nothing() -> None:
    other = Other()
    other.says(50, 77, {}, [1])
    other.says(17, 78, 1)
    other.says(33, 79, 1)
    other.says(8, 48, 80, {}, "com.example.error")
    other.says(36, 5, 6, {})
    assert other.closed == 0
