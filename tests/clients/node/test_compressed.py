"""Compression with Node's WebSocket clients: the `ws` package by itself, and stock autobahn-js upon it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration
from raw_wamp import SERIALIZERS
from router_process import RouterProcess

from .autobahn_js import run_node_tests

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def compressing() -> Iterator[RouterProcess]:
    """A router that compresses nearly everything."""
    with RouterProcess(static_configuration(compression={"smallest_bytes": 128})) as process:
        yield process


def test_ws(compressing: RouterProcess) -> None:
    run_node_tests("compressed.test.mjs", PORT=compressing.port)


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_what_a_client_does(compressing: RouterProcess, serializer: str) -> None:
    run_node_tests("autobahn.test.mjs", PORT=compressing.port, SERIALIZER=serializer)
