"""``wampgate.status.…`` on the running daemon: real queues, both transports, refusals, nobody unasked."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import principal, static_configuration, ticket_of
from raw_rawsocket import RawPeer
from raw_wamp import Aborted, Peer, WampError, random_name
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIB = 1024

DOCUMENT = Path(__file__).parents[3] / "docs" / "status.md"
DOCUMENTED = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
]


@pytest.fixture(scope="module")
def operated() -> Iterator[RouterProcess]:
    """A router with the rules that docs/status.md gives an operator, and much patience with slow readers."""
    configuration = static_configuration(limits={"outbox_bytes": 64 * KIB * KIB, "stalled_seconds": 60})
    realm = configuration["realms"][0]
    (documented,) = (block["realms"][0] for block in DOCUMENTED if "realms" in block)
    realm["authentication"]["principals"].append(principal("root", "operator"))
    realm["authorization"]["rules"] += documented["authorization"]["rules"]
    realm["meta_api"] = documented["meta_api"]
    with RouterProcess(configuration) as process:
        yield process


def status(operator: Any, name: str = "get", **kwargs: Any) -> dict[str, Any]:
    answer = operator.result(operator.start_call(f"wampgate.status.{name}", [], kwargs))
    return dict(answer[4])


def test_what_waits_for_a_slow_reader_is_told_and_is_gone_when_it_reads(
    operated: RouterProcess, join: Callable[..., Peer]
) -> None:
    topic = random_name()
    operator, alice = join("root", process=operated), join("alice", process=operated)
    slow = join("bob", process=operated, receive_buffer=4096)
    slow.subscribe(topic)
    for number in range(512):
        alice.publish(topic, [number, "x" * 16 * KIB])
    time.sleep(1.1)
    queues = status(operator)["queues"]
    assert queues["slow_readers"] == 1
    assert 2 * KIB * KIB < queues["bytes"] < 9 * KIB * KIB
    (row,) = status(operator, "sessions", search=str(slow.session))["sessions"]
    assert row["queue_bytes"] > 2 * KIB * KIB
    for _ in range(512):
        slow.event()
    deadline = time.monotonic() + 10
    while status(operator)["queues"] != {"bytes": 0, "slow_readers": 0}:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_both_transports_are_told_apart(operated: RouterProcess, join: Callable[..., Peer]) -> None:
    operator = join("root", process=operated)
    with RawPeer(operated.port).join(ticket_of("carol")) as carol:
        (row,) = status(operator, "sessions", search="carol")["sessions"]
        assert (row["session"], row["transport"]) == (carol.session, "rawsocket")
        assert status(operator)["connections"]["by_transport"] == {"websocket": 1, "rawsocket": 1}
    (row,) = status(operator, "sessions", search="root")["sessions"]
    assert (row["session"], row["transport"]) == (operator.session, "websocket")


def test_rates_follow_from_counters(operated: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = random_name()
    operator, alice, bob = (join(name, process=operated) for name in ("root", "alice", "bob"))
    bob.subscribe(topic)
    before = status(operator)["counters"]
    for number in range(10):
        alice.publish(topic, [number])
    after = status(operator)["counters"]
    assert [after[name] - before[name] for name in ("publications", "events", "joins")] == [10, 10, 0]


def test_a_refused_login_and_a_refused_topic(operated: RouterProcess, join: Callable[..., Peer]) -> None:
    operator, alice = join("root", process=operated), join("alice", process=operated)
    with pytest.raises(Aborted), Peer(operated.port) as peer:
        peer.join("the-secret-that-nobody-may-read")
    with pytest.raises(WampError):
        alice.subscribe("elsewhere.x")
    topic, login = status(operator, "refusals", limit=2)["refusals"]
    assert (topic["event"], topic["authid"], topic["uri"]) == ("refused", "alice", "elsewhere.x")
    assert (login["event"], login["authid"], login["peer"].split(":")[0]) == ("join_refused", None, "127.0.0.1")
    assert "the-secret" not in str(login)


@pytest.mark.parametrize("who", ["alice", "backend", None])
@pytest.mark.parametrize("name", ["get", "sessions", "topics", "refusals"])
def test_nobody_may_unasked(operated: RouterProcess, join: Callable[..., Peer], who: str | None, name: str) -> None:
    with pytest.raises(WampError) as refused:
        status(join(who, process=operated), name)
    assert refused.value.uri == "wamp.error.not_authorized"


def test_what_the_page_says_of_each_answer_is_all_there_is(operated: RouterProcess, join: Callable[..., Peer]) -> None:
    operator, alice = join("root", process=operated), join("alice", process=operated)
    alice.subscribe(random_name())
    with pytest.raises(WampError):
        alice.subscribe("elsewhere.y")
    for name in ("get", "sessions", "topics", "refusals"):
        (row,) = re.findall(rf"^\| `wampgate\.status\.{name}` \| .* \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
        answer = status(operator, name)
        told = set(answer) | {key for value in answer.values() for key in _keys(value)} - set(
            answer.get("counters", {})
        )
        told -= {"websocket", "rawsocket", "operator", "client", "ticket"}
        assert told <= set(re.findall(r"`(\w+)`", row)), name


def _keys(value: object) -> set[str]:
    if isinstance(value, list):
        return {key for row in value for key in _keys(row)}
    return set(value) | {key for inner in value.values() for key in _keys(inner)} if isinstance(value, dict) else set()


def test_what_each_role_needs_is_needed(operated: RouterProcess, join: Callable[..., Peer]) -> None:
    operator, alice = join("root", process=operated), join("alice", process=operated)
    operator.subscribe("wamp.session.on_leave")
    explained = operator.result(operator.start_call("wampgate.explain", ["alice", "call", "elsewhere.z"]))
    assert explained[4]["allowed"] is False
    operator.call("wamp.session.kill", [alice.session])
    assert alice.receive()[2] == "wamp.close.killed"
    assert operator.event()[4][0] == alice.session
