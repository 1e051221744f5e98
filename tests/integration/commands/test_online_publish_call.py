"""``wampgate publish`` and ``wampgate call`` against the real router: what is sent, what is printed, how they end."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from callee import SILENCE, Callee, ProcedureError
from conftest import ticket_of
from integration.commands.online_router import Running, wampgate
from raw_wamp import random_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from raw_wamp import Peer
    from router_process import RouterProcess

CPU_SECONDS = 0.7
"""What a command may cost before the user sees its result."""


@pytest.fixture
def topic() -> str:
    return random_name()


@pytest.fixture
def join_online(online: RouterProcess, join: Callable[..., Peer]) -> Callable[..., Peer]:
    def join_online(who: str = "bob", **more: Any) -> Peer:
        return join(who, process=online, ticket=ticket_of(who), **more)

    return join_online


def payload(event: list[Any]) -> list[Any]:
    return event[4:]


def test_publish_prints_the_publications_id(
    online: RouterProcess, join_online: Callable[..., Peer], topic: str
) -> None:
    bob = join_online()
    bob.subscribe(topic)
    done = wampgate(online, "publish", topic, "hello", "7", '{"a": [null]}', "--kw", "options=1", "--kw", "topic=x")
    event = bob.event()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{event[2]}\n", "")
    assert payload(event) == [["hello", 7, {"a": [None]}], {"options": 1, "topic": "x"}]


def test_publish_of_all_at_once(
    online: RouterProcess, join_online: Callable[..., Peer], topic: str, tmp_path: Path
) -> None:
    bob = join_online()
    bob.subscribe(topic)
    assert wampgate(online, "publish", topic).returncode == 0
    assert payload(bob.event()) == []
    assert wampgate(online, "publish", topic, "--data", '{"a": 1}').returncode == 0
    assert payload(bob.event()) == [[], {"a": 1}]
    assert wampgate(online, "publish", topic, "--data", "-", stdin="[1, 2]").returncode == 0
    assert payload(bob.event()) == [[1, 2]]
    (tmp_path / "data.json").write_text('["from a file"]')
    assert wampgate(online, "publish", topic, "--data", f"@{tmp_path}/data.json").returncode == 0
    assert payload(bob.event()) == [["from a file"]]


def test_publish_for_some(online: RouterProcess, join_online: Callable[..., Peer], topic: str) -> None:
    bob, carol = join_online("bob"), join_online("carol")
    for peer in (bob, carol):
        peer.subscribe(topic)
    wampgate(online, "publish", topic, "1", "--eligible-authid", "bob")
    wampgate(online, "publish", topic, "2", "--exclude-authid", "bob", "--exclude-authid", "nobody")
    wampgate(online, "publish", topic, "3", "--exclude", str(carol.session), "--no-acknowledge")
    assert [payload(event) for event in bob.events()] == [[[1]], [[3]]]
    assert [payload(event) for event in carol.events()] == [[[2]]]


def test_publish_of_what_is_retained(online: RouterProcess, topic: str) -> None:
    assert wampgate(online, "publish", topic, "kept", "--retain").returncode == 0
    done = wampgate(online, "tail", topic, "--retained", "--count", "1", "--json")
    assert json.loads(done.stdout)["args"] == ["kept"]


def test_publish_as_json(online: RouterProcess, topic: str) -> None:
    done = wampgate(online, "publish", topic, "--json")
    assert json.loads(done.stdout)["publication"] > 0


def test_publish_where_one_may_not(online: RouterProcess) -> None:
    done = wampgate(online, "publish", "org.elsewhere")
    assert (done.returncode, done.stdout) == (4, "")
    assert "org.elsewhere" in done.stderr
    assert "`wampgate explain` tells what decides" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_many_lines_come_in_their_order(online: RouterProcess, join_online: Callable[..., Peer], topic: str) -> None:
    bob = join_online()
    bob.subscribe(topic)
    done = wampgate(online, "publish", topic, "--lines", "-", stdin="".join(f"{n}\n" for n in range(1000)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1,000 events published\n", "")
    assert [payload(bob.event())[0][0] for _ in range(1000)] == list(range(1000))


def test_lines_that_are_none_are_told_and_the_others_published(
    online: RouterProcess, topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "lines"
    file.write_text('1\n{\n\n[2]\nNaN\n{"a": 3}')
    done = wampgate(online, "publish", topic, "--lines", str(file), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"published": 3, "refused": 2}
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["line 2", "line 5"]


def test_what_tail_prints_can_be_published_again(online: RouterProcess, topic: str) -> None:
    with Running(online, ["tail", topic, "--json", "--count", "2"]) as tail:
        tail.note("listening")
        wampgate(online, "publish", topic, "1", "--kw", "a=2")
        line = tail.line()
        done = wampgate(online, "publish", "--events", "-", stdin=line + '\n{"args": []}\n')
        again = json.loads(tail.line())
    assert (again["topic"], again["args"], again["kwargs"]) == (topic, [1], {"a": 2})
    assert done.returncode == 1
    assert 'line 2: expected an object with "topic"' in done.stderr


def test_no_more_than_a_rate(online: RouterProcess, topic: str) -> None:
    with Running(online, ["tail", topic, "--json", "--count", "3"]) as tail:
        tail.note("listening")
        wampgate(online, "publish", topic, "--lines", "-", "--rate", "5", stdin="1\n2\n3\n")
        times = [json.loads(tail.line())["time"] for _ in range(3)]
    assert times == sorted(times)
    assert float(times[2][17:23]) - float(times[0][17:23]) % 60 != 0


def test_a_pipe_is_published_as_it_flows(online: RouterProcess, join_online: Callable[..., Peer], topic: str) -> None:
    bob = join_online()
    bob.subscribe(topic)
    with Running(online, ["publish", topic, "--lines", "-"], stdin=subprocess.PIPE) as publish:
        assert publish.process.stdin is not None
        for text in ("first", "second"):
            publish.process.stdin.write(json.dumps(text) + "\n")
            publish.process.stdin.flush()
            assert payload(bob.event()) == [[text]]
        publish.process.stdin.close()
        assert publish.line() == "2 events published"
        assert publish.process.wait(10) == 0
        publish.process.stdin = None


@pytest.mark.parametrize(
    "arguments",
    [
        ("publish",),
        ("publish", "a.b", "--lines", "-", "1"),
        ("publish", "a.b", "--events", "-"),
        ("publish", "a.b", "1", "--data", "[2]"),
        ("publish", "a.b", "--rate", "3"),
        ("publish", "a.b", "--lines", "-", "--token-stdin"),
        ("publish", "a.b", "--token", "secret"),
        ("call", "a.b", "1", "--data", "[2]"),
        ("call", "a.b", "--kw", "novalue"),
        ("call", "a.b", "--token-file", "/dev/null", "--demo"),
        ("tail",),
        ("tail", "a.b", "--history", "1", "--since", "2"),
        ("kick",),
        ("kick", "--authid", "alice", "--session", "1"),
        ("explain", "alice", "listen", "a.b"),
    ],
)
def test_command_lines_that_are_none(arguments: tuple[str, ...]) -> None:
    done = wampgate(None, *arguments, stdin="secret")
    assert (done.returncode, done.stdout) == (2, "")
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def callee(join_online: Callable[..., Peer]) -> Any:
    """Procedures of bob's, and the names under which they are."""
    names = {name: random_name() for name in ("echo", "silent", "failing")}

    def echo(*args: Any) -> Any:
        return list(args)

    def failing(*_args: Any) -> Any:
        raise ProcedureError("com.example.error.broken")

    procedures = {names["echo"]: echo, names["silent"]: lambda *_: SILENCE, names["failing"]: failing}
    with Callee(join_online(), procedures) as serving:
        yield serving, names


def test_call_prints_the_result(online: RouterProcess, callee: Any) -> None:
    _, names = callee
    done = wampgate(online, "call", names["echo"], "7", "text")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [7, "text"], "")
    done = wampgate(online, "call", names["echo"], "7", "--json")
    assert json.loads(done.stdout) == {"args": [[7]], "kwargs": {}}


def test_call_of_what_fails(online: RouterProcess, callee: Any) -> None:
    done = wampgate(online, "call", callee[1]["failing"])
    assert (done.returncode, done.stdout) == (1, "")
    assert "com.example.error.broken" in done.stderr
    done = wampgate(online, "call", random_name())
    assert done.returncode == 1
    assert "wamp.error.no_such_procedure" in done.stderr
    assert wampgate(online, "call", "org.elsewhere").returncode == 4


def test_call_gives_up_in_time(online: RouterProcess, callee: Any) -> None:
    done = wampgate(online, "call", callee[1]["silent"], "--timeout", "0.3")
    assert done.returncode in (1, 3)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_interrupted_call_is_cancelled(online: RouterProcess, join_online: Callable[..., Peer]) -> None:
    bob, name = join_online(hello={"roles": {"callee": {"features": {"call_canceling": True}}}}), random_name()
    bob.register(name)
    with Running(online, ["call", name]) as call:
        assert bob.receive()[0] == 68
        assert call.interrupt() == 130
        assert bob.receive()[0] == 69
        assert call.notes.rest() in ([], [""])


def test_progressive_results_are_lines(online: RouterProcess, join_online: Callable[..., Peer]) -> None:
    bob, name = (
        join_online(hello={"roles": {"callee": {"features": {"progressive_call_results": True}}}}),
        random_name(),
    )
    bob.register(name)
    with Running(online, ["call", name, "--progress"]) as call:
        invocation = bob.receive()
        assert invocation[3]["receive_progress"] is True
        bob.send(70, invocation[1], {"progress": True}, [1])
        assert call.line() == "1"
        bob.send(70, invocation[1], {"progress": True}, ["\x9b2J"])
        assert call.line() == '"\\u009b2J"'
        bob.send(70, invocation[1], {}, [], {"done": True})
        assert call.line() == '{"done": true}'
        assert call.process.wait(10) == 0


def test_nobody_listens() -> None:
    done = wampgate(None, "publish", "a.b", "--url", "ws://127.0.0.1:9/ws?token=secret")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("ws://127.0.0.1:9/ws: can't connect: nobody listens there")
    assert len(done.stderr.splitlines()) == 1


def test_who_is_not_let_in(online: RouterProcess) -> None:
    done = wampgate(online, "publish", "a.b", environ={"WAMPGATE_TOKEN": "not-a-token-that-is-known"})
    assert done.returncode == 4
    assert "not-a-token" not in done.stderr
    done = wampgate(online, "publish", "a.b", "--realm", "nowhere")
    assert done.returncode == 4
    assert "name a realm that router.json has" in done.stderr


def test_the_token_comes_from_a_file_or_from_standard_input(online: RouterProcess, topic: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(ticket_of("alice") + "\n")
    assert wampgate(online, "publish", topic, "--token-file", str(file), who=None).returncode == 0
    assert wampgate(online, "publish", topic, "--token-stdin", who=None, stdin=ticket_of("alice")).returncode == 0
    # A guest may subscribe, and nothing else.
    assert wampgate(online, "publish", topic, who=None).returncode == 4


def test_it_is_quick(online: RouterProcess, topic: str) -> None:
    costs = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert wampgate(online, "publish", topic).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(costs) < CPU_SECONDS


def test_a_router_that_does_not_answer_is_waited_for_so_long_and_no_longer(online: RouterProcess) -> None:
    online.signal(signal.SIGSTOP)
    try:
        done = wampgate(online, "publish", "com.example.a", "--connect-timeout", "0.5")
    finally:
        online.signal(signal.SIGCONT)
    assert done.returncode == 3
    assert "--connect-timeout allows more" in done.stderr
