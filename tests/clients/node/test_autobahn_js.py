"""Stock autobahn-js in Node: everything a client does over each serializer, and that it comes back after a restart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import SERIALIZERS, Peer, random_name
from router_process import RouterProcess

from .autobahn_js import run_node_tests, start_script

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_what_a_client_does(router: RouterProcess, serializer: str) -> None:
    run_node_tests("autobahn.test.mjs", PORT=router.port, SERIALIZER=serializer)


@pytest.fixture
def process() -> Iterator[RouterProcess]:
    with RouterProcess(static_configuration()) as process:
        yield process


@pytest.fixture
def returning(process: RouterProcess) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A subscriber in Node, and its topic."""
    topic = random_name()
    script = start_script("returning.mjs", PORT=process.port, TOPIC=topic, AUTHID="alice", TICKET=ticket_of("alice"))
    yield script, topic
    script.kill()
    script.communicate()


def next_line(script: subprocess.Popen[str]) -> Any:
    assert script.stdout is not None
    return json.loads(script.stdout.readline())


def test_it_comes_back_after_a_restart(process: RouterProcess, returning: tuple[subprocess.Popen[str], str]) -> None:
    script, topic = returning
    assert next_line(script) == ["subscribed"]
    for number in range(2):
        process.stop()
        closed = next_line(script)
        assert closed[0] == "closed"
        assert closed[3], closed
        process.start()
        while (line := next_line(script)) != ["subscribed"]:
            assert line[0] == "closed"
        with Peer(process.port).join(ticket_of("bob")) as bob:
            bob.publish(topic, [number])
        assert next_line(script) == ["event", number]
