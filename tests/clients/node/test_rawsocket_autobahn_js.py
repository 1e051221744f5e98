"""Stock autobahn-js in Node over RawSocket, on TCP and on a Unix socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conftest import static_configuration
from router_process import RouterProcess

from .autobahn_js import run_node_tests

if TYPE_CHECKING:
    from pathlib import Path


class OnBoth(RouterProcess):
    """A router with a second listener, which has no port."""

    def start(self) -> None:
        super().start()
        self.wait_for_log("listening on unix:")

    def _endpoints(self) -> int:
        return 1


def test_what_a_client_does(tmp_path: Path) -> None:
    path = tmp_path / "wampgate.sock"
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1"}, {"endpoint": f"unix:{path}"}]
    with OnBoth(static_configuration(listen=listen)) as process:
        run_node_tests("rawsocket.test.mjs", PORT=process.port, SOCKET=path)
