"""Redis commands on the pages, on a real Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documentation.elsewhere import left
from redis_server import RedisServer

if TYPE_CHECKING:
    from documentation.blocks import Block


@pytest.mark.parametrize("block", left("redis"), ids=lambda block: block.where)
def test_redis_takes_it(block: Block) -> None:
    with RedisServer() as server:
        lines = [line for line in block.text.splitlines() if line.strip()]
        # The last one may lock out who asks; so it is one conversation for each line, and nothing comes after it.
        assert [server.command(*line.split()) for line in lines] == [b"+OK\r\n"] * len(lines)
