"""Everyone comes back at once: 10,000 missed events for 1,000 clients, in bounded memory.

``WAMPGATE_RECOVERING`` is how many clients (1,000 is the promise), ``WAMPGATE_MISSED`` how many events each.
"""

from __future__ import annotations

import os
import re
import selectors
import time
from typing import TYPE_CHECKING, Any

from conftest import principal, rule, static_configuration, ticket_of
from raw_wamp import Peer
from raw_websocket import TEXT, frame
from router_process import RouterProcess

if TYPE_CHECKING:
    import socket

CLIENTS = int(os.environ.get("WAMPGATE_RECOVERING", "60"))
MISSED = int(os.environ.get("WAMPGATE_MISSED", "2000"))
TEXT_OF_200 = "x" * 180

_PAGE_END = re.compile(rb'"more":(true|false),"position":(\d+)\}\]$')


def configuration() -> dict[str, Any]:
    realm = {
        "name": "realm1",
        "authentication": {"anonymous": {"role": "guest"}, "principals": [principal("backend", "backend")]},
        "authorization": {
            "rules": [rule("backend", ["publish"], "com.", "prefix"), rule("guest", ["subscribe"], "com.", "prefix")]
        },
        "topics": [{"uri": "com.", "match": "prefix", "history": {"count": 20_000, "bytes": 2**25}}],
    }
    limits = {"connections_per_address": 5_000, "unauthenticated_connections": 5_000}
    return static_configuration(realms=[realm], limits=limits)


class Returning:
    """One client that asks for page after page; it looks at no more of an answer than where to go on."""

    def __init__(self, router: RouterProcess, position: int) -> None:
        self.peer = Peer(router.port).join()
        self.position = position
        self.events = 0
        self.pages = 0
        self.largest = 0
        self.done = False
        self._data = bytearray()

    @property
    def socket(self) -> socket.socket:
        connection: Any = self.peer
        found: socket.socket = connection.socket
        return found

    def ask(self) -> None:
        arguments = {"topic": "com.news", "after_publication": self.position}
        call = [48, self.peer.next_request(), {}, "wampgate.history.recover", [], arguments]
        self.socket.sendall(frame(TEXT, self.peer.encoded(call)))

    def read(self) -> None:
        """Take what the socket has; ask on when a page is whole."""
        self._data += self.socket.recv(1 << 16)
        while (end := whole(self._data)) is not None:
            begin, end = end
            opcode, page = self._data[0] & 0x0F, bytes(self._data[begin:end])
            del self._data[:end]
            # Pings come in between; whoever asks on is not silent.
            if opcode == TEXT:
                self._turn(page)

    def _turn(self, page: bytes) -> None:
        found = _PAGE_END.search(page)
        assert found is not None, page[:300]
        assert b'"recovered":true' in page[:200]
        self.pages += 1
        self.largest = max(self.largest, len(page))
        self.events += page.count(b'"publication":')
        self.position = int(found[2])
        self.done = found[1] == b"false"
        if not self.done:
            self.ask()


def whole(data: bytearray) -> tuple[int, int] | None:
    """Where the first frame's payload begins and ends, if it is all there."""
    if len(data) < 2 or (data[1] >= 126 and len(data) < 4):
        return None
    length, begin = data[1], 2
    if length == 126:
        length, begin = int.from_bytes(data[2:4], "big"), 4
    elif length == 127:
        if len(data) < 10:
            return None
        length, begin = int.from_bytes(data[2:10], "big"), 10
    return (begin, begin + length) if len(data) >= begin + length else None


def test_all_come_back_at_once_and_memory_is_bounded() -> None:
    with RouterProcess(configuration()) as router:
        with Peer(router.port) as backend:
            backend.join(ticket_of("backend"), authid="backend")
            first = backend.publish("com.news", [0, TEXT_OF_200])
            for number in range(1, MISSED + 1):
                backend.send(16, backend.next_request(), {}, "com.news", [number, TEXT_OF_200])
            last = backend.publish("com.news", ["last"])
        clients = [Returning(router, first) for _ in range(CLIENTS)]
        router.forget_peak()
        before, cpu, begun = router.rss(), router.cpu_seconds(), time.monotonic()
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client.socket, selectors.EVENT_READ, client)
                client.ask()
            while not all(client.done for client in clients):
                ready = selector.select(30)
                assert ready, "no answer within 30 s"
                for key, _ in ready:
                    key.data.read()
        took, grown = time.monotonic() - begun, router.peak_rss() - before
        cpu = router.cpu_seconds() - cpu
        for client in clients:
            assert client.events == MISSED + 1
            assert client.position == last
            client.peer.close()
        pages = sum(client.pages for client in clients)
        print(  # noqa: T201 - the figures, for whoever runs the full size with -s
            f"{CLIENTS} clients x {MISSED} events: {took:.1f} s, {cpu:.1f} s of CPU, {pages} pages of at most "
            f"{max(client.largest for client in clients)} bytes, {grown / 2**20:.0f} MiB above {before / 2**20:.0f} MiB"
        )
        assert max(client.largest for client in clients) < 200_000
        # What waits for one client is never more than one page; what is shared is a few dozens.
        assert grown < 30 * 2**20 + CLIENTS * 100_000
