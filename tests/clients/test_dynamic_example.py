"""examples/python/decide.py with examples/router/dynamic.json: who it lets in may do what it says, until it changes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from raw_wamp import Aborted, Peer, WampError
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
TICKET = "the ticket of decider"


def written(people: Path, **rooms: list[str]) -> None:
    document = {name: {"ticket": f"the ticket of {name}", "rooms": theirs} for name, theirs in rooms.items()}
    people.write_text(json.dumps(document))


def wait_for(path: Path, text: str, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while text not in path.read_text():
        assert time.monotonic() < until, f"{text!r} did not come; got: {path.read_text()}"
        time.sleep(0.05)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.json"
    written(path, ann=["red", "blue"], joe=["blue"])
    return path


@pytest.fixture
def router() -> Iterator[RouterProcess]:
    configuration = json.loads((EXAMPLES / "router" / "dynamic.json").read_text())
    configuration["listen"] = [{"endpoint": "tcp:0:interface=127.0.0.1"}]
    digest = sha256(TICKET.encode()).hexdigest()
    with RouterProcess(configuration, environ={"DECIDER_TICKET_SHA256": digest}) as process:
        yield process


def test_it_decides(router: RouterProcess, people: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    url = f"ws://127.0.0.1:{router.port}/ws"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, EXAMPLES / "python" / "decide.py", url, TICKET, people],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(output, "decider decides")
            with Peer(router.port) as ann, Peer(router.port) as joe:
                assert ann.join("the ticket of ann").welcome["authid"] == "ann"
                joe.join("the ticket of joe")
                ann.subscribe("wampgate.revoked")
                ann.subscribe("room.red")
                joe.subscribe("room.blue")
                for topic, match in (("room.red", "exact"), ("room.", "prefix"), ("room", "prefix")):
                    with pytest.raises(WampError, match="not_authorized"):
                        joe.subscribe(topic, match=match)
                joe.publish("room.blue", ["hello"])
                written(people, ann=["blue"], joe=["blue"])
                wait_for(output, "the rights of ann have changed: 1 sessions")
                revoked = ann.event()
                assert revoked[5]["topic"] == "room.red"
                ann.subscribe("room.blue")
                assert joe.publish("room.blue", ["again"])
                assert ann.event()[4] == ["again"]
            with Peer(router.port) as stranger, pytest.raises(Aborted):
                stranger.join("a made-up ticket")
        finally:
            process.kill()
            process.wait()
