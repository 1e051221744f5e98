"""A RawSocket that is over leaves nothing behind that only a full garbage collection would find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .test_leftovers import CONNECTIONS

FOLDERS = [str(Path(__file__).parents[2]), str(Path(__file__).parents[3])]
PROGRAM = f"""
import sys

sys.path[:0] = {FOLDERS!r}
from integration.router import test_leftovers
from raw_rawsocket import RawPeer

test_leftovers.Peer = RawPeer
test_leftovers.leave_behind()
"""


def test_a_closed_connection_leaves_no_cycles() -> None:
    # In a process of its own: the collector is switched off for all that run in it.
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout.split()[-1]) < CONNECTIONS, ran.stdout
