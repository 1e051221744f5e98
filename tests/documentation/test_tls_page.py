"""docs/tls.md: the certificate for a trial serves a real router, and is renewed while connections go on."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from typing import TYPE_CHECKING

from documentation.blocks import blocks_of
from documentation.terminal import Terminal
from router_process import RouterProcess

if TYPE_CHECKING:
    from pathlib import Path

(TRIAL,) = (block for block in blocks_of("docs/tls.md") if "openssl req" in block.text)


def test_a_certificate_for_a_trial_and_its_renewal(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.run(TRIAL.text)
        endpoint = f"ssl:0:interface=127.0.0.1:privateKey={tmp_path}/server.key:certKey={tmp_path}/server.pem"
        realm = {"name": "realm1", "authentication": {"anonymous": {}}}
        with RouterProcess({"listen": [{"endpoint": endpoint}], "realms": [realm]}) as router:
            shown, kept = _connect(router.port, tmp_path)
            with kept:
                assert ssl.DER_cert_to_PEM_cert(shown) == (tmp_path / "server.pem").read_text()
                terminal.run(TRIAL.text)
                assert ssl.DER_cert_to_PEM_cert(shown) != (tmp_path / "server.pem").read_text()
                router.signal(signal.SIGHUP)
                _wait_for_the_new_one(router.port, tmp_path)
                kept.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b" 200 " in kept.recv(100)


def _connect(port: int, folder: Path) -> tuple[bytes, ssl.SSLSocket]:
    """A connection of someone who trusts what stands in the folder, and the certificate that was shown."""
    trust = ssl.create_default_context(cafile=str(folder / "server.pem"))
    connection = trust.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="localhost")
    return connection.getpeercert(binary_form=True) or b"", connection


def _wait_for_the_new_one(port: int, folder: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            _connect(port, folder)[1].close()
        except ssl.SSLCertVerificationError:
            assert time.monotonic() < deadline, "the old certificate is still shown"
            time.sleep(0.1)
        else:
            return
