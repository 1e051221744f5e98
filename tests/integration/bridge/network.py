"""A network of a test's own: a namespace reached through a pair of virtual devices, whose packets can be dropped.

It needs root, ``ip`` and ``nft`` (Debian: iproute2, nftables), and a kernel that lets us.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

_TABLE = "inet wampgate_test"


class NotPermitted(Exception):
    """This machine lets us have no such network; the text says why."""


class Network:
    """A context manager: the namespace is there on entry and gone on exit, whatever happens.

    Attributes:
        address: of what listens inside, as seen from here.
        name: the namespace's.
    """

    def __init__(self) -> None:
        number = os.getpid() % 50_000
        self.name = f"wampgate-{number}"
        self._device = f"wg{number}"
        # Addresses for benchmarks and tests (RFC 2544), four for each process.
        self._subnet = f"198.18.{(number // 64) % 256}.{(number % 64) * 4}"
        base, last = self._subnet.rsplit(".", 1)
        self.address = f"{base}.{int(last) + 2}"
        self._here = f"{base}.{int(last) + 1}"

    def __enter__(self) -> Self:
        missing = [tool for tool in ("ip", "nft") if shutil.which(tool) is None]
        if os.geteuid() != 0 or missing:
            raise NotPermitted("it takes root" if os.geteuid() else f"{' and '.join(missing)} is not installed")
        try:
            self._run("ip", "netns", "add", self.name)
            self._run("ip", "link", "add", self._device, "type", "veth", "peer", "name", "eth0", "netns", self.name)
            self._run("ip", "addr", "add", f"{self._here}/30", "dev", self._device)
            self._run("ip", "link", "set", self._device, "up")
            self._inside("ip", "addr", "add", f"{self.address}/30", "dev", "eth0")
            self._inside("ip", "link", "set", "eth0", "up")
            self._inside("ip", "link", "set", "lo", "up")
        except NotPermitted:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # The pair goes with the namespace.
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True, timeout=10)
        subprocess.run(["ip", "link", "del", self._device], check=False, capture_output=True, timeout=10)

    def command(self, *words: str) -> list[str]:
        """A command as it is run inside."""
        return ["ip", "netns", "exec", self.name, *words]

    def drop(self) -> None:
        """Lose every packet, in silence."""
        self._inside("nft", "add", "table", *_TABLE.split())
        for hook in ("input", "output"):
            policy = f"{{ type filter hook {hook} priority 0; policy drop; }}"
            self._inside("nft", "add", "chain", *_TABLE.split(), hook, policy)

    def heal(self) -> None:
        """Lose none any more."""
        self._inside("nft", "delete", "table", *_TABLE.split())

    def _inside(self, *words: str) -> None:
        self._run(*self.command(*words))

    def _run(self, *words: str) -> None:
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=10)
        if done.returncode:
            raise NotPermitted(f"{' '.join(words[:3])}: {done.stderr.strip()}")
