"""Stock autobahn-js in Node keeps its habits: options, progress, names, patterns, the meta API, in each way it has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import npm
import pytest
from clients.habits_router import SEED, habits_configuration
from router_process import RouterProcess

from .autobahn_js import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

# Only with when.js autobahn-js has promises that tell of progress.
WITH_PROGRESS: Final = PACKAGES | {"when": "3.7.8"}


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    with RouterProcess(habits_configuration()) as process:
        yield process


@pytest.mark.parametrize(
    ("kind", "serializer"),
    [("websocket", "json"), ("websocket", "msgpack"), ("websocket", "cbor"), ("rawsocket", "json")],
)
def test_what_a_client_does(process: RouterProcess, kind: str, serializer: str) -> None:
    folder = npm.installed("autobahn-js-when", WITH_PROGRESS, "AUTOBAHN-JS WAS NOT TESTED")
    environment = {"PORT": str(process.port), "KIND": kind, "SERIALIZER": serializer, "SEED": SEED.hex()}
    file = Path(__file__).with_name("habits.test.mjs")
    npm.run_node_tests(file, {**os.environ, "NPM_FOLDER": f"{folder}/"} | environment)
