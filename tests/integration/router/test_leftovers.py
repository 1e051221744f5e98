"""What is over leaves nothing behind that only a full garbage collection would find: that would stop everyone."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from raw_wamp import Peer

from wampgate.config import model

CONNECTIONS = 50
HERE = Path(__file__)


def test_a_closed_connection_leaves_no_cycles() -> None:
    # In a process of its own: the collector is switched off for all that run in it.
    folders = [str(HERE.parents[2]), str(HERE.parents[3])]
    program = (
        f"import sys; sys.path[:0] = {folders!r}; import runpy; runpy.run_path({str(HERE)!r}, run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    left = int(ran.stdout.split()[-1])
    assert left < CONNECTIONS, ran.stdout


def leave_behind() -> None:
    """Run a router, let clients come and go, and print how many objects only a collection finds."""
    from twisted.internet import reactor

    from wampgate.service import Wampgate

    running: Any = reactor
    service = Wampgate(configuration(), started=lambda: Thread(target=visit, daemon=True).start())

    def visit() -> None:
        try:
            port = service.ports[0].getHost().port
            come_and_go(port, 5)
            running.callFromThread(begin)
            time.sleep(0.5)
            come_and_go(port, CONNECTIONS)
            time.sleep(1)
        finally:
            running.callFromThread(finish)

    def begin() -> None:
        gc.collect()
        gc.disable()

    def finish() -> None:
        with suppress(Exception):
            sys.stdout.write(f"objects in cycles: {gc.collect()}\n")
        running.stop()

    service.startService()
    running.run()


def configuration() -> model.Configuration:
    return model.Configuration(
        listen=(model.Listen(endpoint="tcp:0:interface=127.0.0.1"),),
        realms=(
            model.Realm(
                name="realm1",
                authentication=model.Authentication(anonymous=model.AnonymousAuthentication()),
                authorization=model.Authorization(
                    rules=(model.Rule(role="anonymous", actions=("subscribe", "publish"), uri="news"),)
                ),
            ),
        ),
    )


def come_and_go(port: int, count: int) -> None:
    clients = [Peer(port).join() for _ in range(count)]
    for number, client in enumerate(clients):
        client.subscribe("news")
        if number % 2:
            client.leave()
        client.close()


if __name__ == "__main__":
    leave_behind()
