"""HTML on the pages, in a real Chromium: each shows in its console what is published."""

from __future__ import annotations

import re
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from clients.browser.npm_packages import installed
from documentation.blocks import TOP
from documentation.elsewhere import left
from documentation.open_router import TOKEN, open_router, publish
from documentation.watched_page import WatchedPage

if TYPE_CHECKING:
    from pathlib import Path

    from documentation.blocks import Block

BEGIN = f'<!doctype html><title>A block</title><link rel="icon" href="data:,"><script>const token = "{TOKEN}";</script>'


class Quiet(SimpleHTTPRequestHandler):
    """Writes no line for each request."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("block", left("html"), ids=lambda block: block.where)
def test_it_shows_news(block: Block, tmp_path: Path) -> None:
    for file in (
        *(TOP / "wampgate/http/page").glob("*.js"),
        *installed().glob("node_modules/autobahn-browser/*.min.js"),
    ):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{front.server_port}"
        with open_router(origin) as router, WatchedPage() as page:
            text = re.sub(r"wss?://[\w.:]+/ws", f"ws://127.0.0.1:{router.port}/ws", block.text)
            (tmp_path / "page.html").write_text(BEGIN + text)
            deadline = time.monotonic() + 20
            page.ask("open", url=f"{origin}/page.html")
            while not page.ask("logs", text="some news"):
                assert time.monotonic() < deadline, "the page shows no news"
                publish(router, ["some news"], {})
            assert page.ask("faults") == []
        front.shutdown()
