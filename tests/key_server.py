"""An issuer's web server for tests: publishes a key set over HTTP or HTTPS on 127.0.0.1, and counts who asks."""

from __future__ import annotations

import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from redis_server import write_certificates

if TYPE_CHECKING:
    from collections.abc import Sequence


class KeyServer:
    """A context manager; what it answers can be changed at any time.

    Args:
        content: the body.
        names: the host names of its certificate; None for HTTP without TLS.

    Attributes:
        asked: the paths that were asked for, in order.
        status: of its answers.
        headers: more headers of its answers.
        delay: an event that an answer waits for; None to answer at once.
    """

    def __init__(self, content: bytes = b"", *, names: Sequence[str] | None = None) -> None:
        self.content = content
        self.status = 200
        self.headers: dict[str, str] = {}
        self.delay: threading.Event | None = None
        self.asked: list[str] = []
        self._names = names
        self._folder = tempfile.TemporaryDirectory(prefix="wampgate-keys-")
        self._server: ThreadingHTTPServer

    def __enter__(self) -> Self:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner._answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # What a client that refuses our certificate leaves behind is no error here.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if self._names is not None:
            folder = Path(self._folder.name)
            write_certificates(folder, self._names)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "server.pem", folder / "server.key")
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.delay is not None:
            self.delay.set()
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def ca_file(self) -> str:
        return str(Path(self._folder.name) / "ca.pem")

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http{'' if self._names is None else 's'}://{host}:{self.port}/keys"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        if self.delay is not None:
            self.delay.wait(20)
        request.send_response(self.status)
        for name, value in ({"Content-Length": str(len(self.content))} | self.headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(self.content)
