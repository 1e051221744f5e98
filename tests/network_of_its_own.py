"""A network namespace for tests: loopback of its own, on which packets can be made to vanish without a word."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final, Self

_CLONE_NEWNET: Final = 0x40000000
_libc: Final = ctypes.CDLL(None, use_errno=True)


class NetworkNotPossible(Exception):
    """This machine or this user can't have a network namespace; the text says what is missing."""


class NetworkOfItsOwn:
    """A context manager: within it, this thread and the processes that it starts have a loopback that no one else has.

    Other threads stay where they are, and connections that are open stay what they are.

    Raises:
        NetworkNotPossible: on entry.
    """

    def __init__(self) -> None:
        self._before = -1

    def __enter__(self) -> Self:
        if shutil.which("nft") is None or shutil.which("ip") is None:
            raise NetworkNotPossible("nft or ip is missing: install Debian's packages nftables and iproute2")
        self._before = os.open(_path(), os.O_RDONLY)
        if _libc.unshare(_CLONE_NEWNET):
            why = os.strerror(ctypes.get_errno())
            os.close(self._before)
            raise NetworkNotPossible(f"no network namespace may be made here ({why}): it takes root")
        try:
            _run("ip", "link", "set", "lo", "up")
            self._nft("add table inet test")
            # What is dropped on its way in is lost to the sender in silence; on its way out it would be an error.
            self._nft("add chain inet test lost { type filter hook input priority 0; }")
        except BaseException as error:
            self.__exit__()
            if isinstance(error, NetworkNotPossible):
                raise
            raise NetworkNotPossible(f"the kernel lacks what drops packets: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        _libc.setns(self._before, _CLONE_NEWNET)
        os.close(self._before)

    def lose(self, port: int) -> None:
        """Lose every packet from or to a port, from now on."""
        self._nft(f"add rule inet test lost tcp dport {port} drop")
        self._nft(f"add rule inet test lost tcp sport {port} drop")

    def lose_nothing(self) -> None:
        """Let every packet arrive again."""
        self._nft("flush chain inet test lost")

    def _nft(self, command: str) -> None:
        _run("nft", command)


def _path() -> Path:
    return Path(f"/proc/self/task/{_libc.gettid()}/ns/net")


def _run(*command: str) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    if done.returncode:
        raise NetworkNotPossible(f"{' '.join(command)}: {done.stderr.strip()}")
