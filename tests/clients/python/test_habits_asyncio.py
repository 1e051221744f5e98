"""Stock Autobahn Python on asyncio: decorators, progress, canceling, timeouts, events and the meta API, in each way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clients.habits_router import SEED, habits_configuration
from clients.python.stock_components import by_ticket, over_every_way
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("asyncio_habits.py")


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    with RouterProcess(habits_configuration()) as process:
        yield process


def run(process: RouterProcess, way: tuple[str, str], caller: dict[str, Any]) -> dict[str, Any]:
    """What the script has found out; the caller joins as it is told, the callee by a ticket."""
    kind, serializer = way
    authentications = json.dumps({"callee": by_ticket("bob"), "caller": caller})
    environment = {
        "KIND": kind,
        "SERIALIZER": serializer,
        "PORT": str(process.port),
        "AUTHENTICATIONS": authentications,
    }
    # What Autobahn needs for SCRAM warns of its end when it is imported.
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", SCRIPT],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@over_every_way
def test_what_a_component_does(process: RouterProcess, way: tuple[str, str]) -> None:
    assert run(process, way, by_ticket("alice")) == {
        "joined": ["alice", "client", "ticket"],
        "progress": [0, 1, 2, 3, 4],
        "result": ["alice", "client"],
        "error": ["com.example.error", ["why"], {"detail": [1]}],
        "late": ["wamp.error.timeout", ["no result came within 200 ms"], {}],
        "published": True,
        "heard": [[[1], {"k": None}, ".news.one", "alice"]],
        "here": True,
    }


@pytest.mark.parametrize(
    ("authentication", "joined"),
    [
        ({"wampcra": {"authid": "salty", "secret": "password"}}, ["salty", "client", "wampcra"]),
        ({"cryptosign": {"authid": "ann", "privkey": SEED.hex()}}, ["ann", "client", "cryptosign"]),
        ({"scram": {"authid": "bahn", "password": "pencil"}}, ["bahn", "client", "scram"]),
    ],
    ids=["wampcra", "cryptosign", "scram"],
)
def test_other_methods(process: RouterProcess, authentication: dict[str, Any], joined: list[str]) -> None:
    assert run(process, ("websocket", "json"), authentication)["joined"] == joined
