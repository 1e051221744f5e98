"""`wampgate usage` shows every organization, though the router tells of a thousand at a time."""

from __future__ import annotations

import asyncio
from typing import Any

from wampgate.commands.usage import all_pages

ROWS = [{"organization": str(number), "connections": number} for number in range(5)]


class Router:
    """Tells of two organizations at a time."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def ask(self, after: str | None = None) -> Any:
        """A page."""
        from wampgate.commands.conversation import Answer

        self.asked.append(after)
        rows = [row for row in ROWS if after is None or row["organization"] > after][:2]
        last = rows[-1]["organization"] if rows and rows[-1] is not ROWS[-1] else None
        return Answer([], {"since": "2026-01-01T00:00:00Z", "organizations": rows, "next": last})


def test_page_after_page() -> None:
    router = Router()
    since, rows = asyncio.run(all_pages(router.ask))
    assert since == "2026-01-01T00:00:00Z"
    assert rows == ROWS
    assert router.asked == [None, "1", "3"]
