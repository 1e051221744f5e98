"""``wampgate tail`` against the real router: live, from the history, over restarts, and every way in which it ends."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ticket_of
from integration.commands.online_router import COMMAND, Running, environment, online_configuration, wampgate
from raw_wamp import random_name
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Peer


@pytest.fixture
def topic() -> str:
    return random_name()


@pytest.fixture
def kept() -> str:
    return random_name("com.example.kept")


def publish(router: RouterProcess, topic: str, *numbers: int) -> list[int]:
    """Publish numbers, one event each, by one session; the publications' ids are those of the events, in order."""
    lines = "".join(f"{number}\n" for number in numbers)
    assert wampgate(router, "publish", topic, "--lines", "-", stdin=lines).returncode == 0
    return list(numbers)


def test_lines_for_people(online: RouterProcess, topic: str) -> None:
    with Running(online, ["tail", topic]) as tail:
        note = tail.note("listening")
        assert note.endswith("realm realm1; Ctrl-C ends it")
        wampgate(online, "publish", topic, "hello", "--kw", "fun=1", "--kw", "topic=2")
        time, shown, payload = tail.line().split(" ", 2)
        assert len(time) == len("12:34:56")
        assert (shown, payload) == (topic, '"hello" {"fun": 1, "topic": 2}')


def test_lines_for_programs(online: RouterProcess, topic: str) -> None:
    with Running(online, ["subscribe", topic, "--json", "--quiet"]) as tail, Running(online, ["tail", topic]) as other:
        other.note("listening")
        done = wampgate(online, "publish", topic, "7", "--json")
        event = json.loads(tail.line())
        assert event.pop("time").endswith("Z")
        assert event == {
            "topic": topic,
            "publication": json.loads(done.stdout)["publication"],
            "args": [7],
            "kwargs": {},
        }
        assert tail.interrupt() == 130
        assert tail.notes.rest() in ([], [""])


@pytest.mark.parametrize("match", ["prefix", "wildcard"])
def test_patterns(online: RouterProcess, topic: str, match: str) -> None:
    pattern = {"prefix": f"{topic}.", "wildcard": f"{topic}..end"}[match]
    with Running(online, ["tail", pattern, "--match", match, "--json"]) as tail:
        tail.note("listening")
        wampgate(online, "publish", f"{topic}.x.end")
        assert json.loads(tail.line())["topic"] == f"{topic}.x.end"


def test_several_topics_and_a_count(online: RouterProcess, topic: str) -> None:
    with Running(online, ["tail", f"{topic}.a", f"{topic}.b", "--count", "2", "--json"]) as tail:
        tail.note("listening")
        publish(online, f"{topic}.a", 1)
        publish(online, f"{topic}.b", 2, 3)
        assert [json.loads(tail.line())["args"] for _ in range(2)] == [[1], [2]]
        assert tail.process.wait(10) == 0
        assert tail.lines is not None
        assert tail.lines.rest() == []


def test_for_so_long(online: RouterProcess, topic: str) -> None:
    done = wampgate(online, "tail", topic, "--for", "0.2")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_events_and_what_follows(online: RouterProcess, kept: str) -> None:
    publish(online, kept, *range(5))
    with Running(online, ["tail", kept, "--history", "2", "--json"]) as tail:
        past = [json.loads(tail.line()) for _ in range(2)]
        assert [event["args"] for event in past] == [[3], [4]]
        assert [event["recovered"] for event in past] == [True, True]
        tail.note("listening")
        publish(online, kept, 5)
        event = json.loads(tail.line())
        assert (event["args"], "recovered" in event) == ([5], False)


def test_what_followed_a_publication(online: RouterProcess, kept: str) -> None:
    publish(online, kept, *range(4))
    first = json.loads(wampgate(online, "tail", kept, "--history", "4", "--count", "1", "--json").stdout)
    done = wampgate(online, "tail", kept, "--since", str(first["publication"]), "--count", "3", "--json")
    assert [json.loads(line)["args"] for line in done.stdout.splitlines()] == [[1], [2], [3]]
    done = wampgate(online, "tail", kept, "--since", "1", "--count", "4", "--json")
    assert [json.loads(line)["args"] for line in done.stdout.splitlines()] == [[0], [1], [2], [3]]
    assert "publication 1 is not in the history" in done.stderr


def test_no_history_is_told(online: RouterProcess, topic: str) -> None:
    done = wampgate(online, "tail", topic, "--history", "3", "--for", "0.2")
    assert (done.returncode, done.stdout) == (0, "")
    assert "the router keeps no history of it" in done.stderr


def test_who_may_not(online: RouterProcess) -> None:
    for arguments in (("tail", "org.elsewhere"), ("tail", "org.elsewhere", "--history", "1")):
        done = wampgate(online, *arguments)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.startswith("org.elsewhere: ")
        assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def own() -> Iterator[RouterProcess]:
    with RouterProcess(online_configuration()) as router:
        yield router


def test_it_comes_back_after_a_restart_and_tells_of_what_may_be_missing(own: RouterProcess) -> None:
    with Running(own, ["tail", "com.example.kept.a", "--json"]) as tail:
        tail.note("listening")
        publish(own, "com.example.kept.a", 1)
        assert json.loads(tail.line())["args"] == [1]
        own.stop()
        assert "trying again in" in tail.note("connection lost: ")
        own.start()
        tail.note("connected again")
        assert "com.example.kept.a" in tail.note("gap: events may be missing")
        publish(own, "com.example.kept.a", 2)
        assert json.loads(tail.line())["args"] == [2]
        assert tail.interrupt() == 130
        assert not any("Traceback" in line for line in tail.notes.rest())


def test_it_ends_when_it_is_sent_away(online: RouterProcess, topic: str) -> None:
    with Running(online, ["tail", topic], who="carol") as tail:
        tail.note("listening")
        done = wampgate(online, "kick", "--authid", "carol", "--yes", "--message", "go \x1b[2J away", who="operator")
        assert (done.returncode, done.stdout) == (0, "1 session ended\n")
        assert tail.process.wait(10) == 4
        assert "the session was ended: go \\x1b[2J away (wamp.close.killed)" in tail.note("ended")


def test_a_reader_that_has_seen_enough(online: RouterProcess, kept: str) -> None:
    publish(online, kept, *range(50))
    command = " ".join(COMMAND)
    done = subprocess.run(
        f"{command} tail {kept} --history 50 --json --for 5 | head -1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=20,
        env=environment(online, "alice"),
        cwd="/",
        check=False,
    )
    assert json.loads(done.stdout)["args"] == [0]
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_a_reader_that_is_gone_ends_it(online: RouterProcess, topic: str) -> None:
    reading, writing = os.pipe()
    with Running(online, ["tail", topic], stdout=writing) as tail:
        os.close(writing)
        tail.note("listening")
        os.close(reading)
        publish(online, topic, 1)
        assert tail.process.wait(10) == 1
        assert tail.notes.rest() == []


def test_nothing_that_strangers_publish_reaches_the_terminal_as_it_is(
    online: RouterProcess, topic: str, join: Callable[..., Peer]
) -> None:
    nasty = "\x1b]0;title\x07\x9b2J\u202e\r[bold]x[/bold]"
    bob: Any = join("bob", process=online, ticket=ticket_of("bob"))
    for arguments in ([], ["--json"]):
        with Running(online, ["tail", f"{topic}.", "--match", "prefix", "--count", "1", *arguments]) as tail:
            tail.note("listening")
            bob.publish(f"{topic}.[red]\u202e", [nasty], {nasty: nasty})
            line = tail.line()
            assert line.isprintable()
            assert "[bold]x[/bold]" in line
