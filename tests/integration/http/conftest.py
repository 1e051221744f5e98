"""A router that serves backends, for the tests here to share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYTHING = ["wamp", "page", "backend"]


@pytest.fixture(scope="session")
def serving() -> Iterator[RouterProcess]:
    """The static principals' router, that serves WAMP, page and backends on one port."""
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": EVERYTHING}]
    with RouterProcess(static_configuration(listen=listen)) as process:
        yield process
