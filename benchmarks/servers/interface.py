"""What a measurement needs from a server under test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.scenarios import Scenario


class ServerFailed(Exception):
    """A server did not start; the text says why, with the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who joins, and by which ticket."""

    authid: str
    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens.

    Attributes:
        port: on 127.0.0.1.
        path: of the WebSocket.
        realm: what HELLO names.
        processes: all its processes' ids; their CPU and memory count.
        user: may subscribe to ``organization.bench``, and to ``organization.0`` to ``organization.99``; of several
            users, each to those of these whose number leaves the user's own when divided by how many users there are.
        backend: may publish there, and register and call below ``bench.``.
        users: how many users there are. If more than one, ``{}`` in the user's authid and ticket stands for
            the number, from 0; connections take turns.
        options: more words for the generator, such as the protocol that this server speaks.
    """

    port: int
    path: str
    realm: str
    processes: tuple[int, ...]
    user: Credentials
    backend: Credentials
    users: int = 1
    options: tuple[str, ...] = ()


class Server(Protocol):
    """A server under test. Started anew for each measurement, so that none inherits another's heap."""

    name: str

    @property
    def package(self) -> str | None:
        """The folder below ``peers/`` that it is installed from; None if there is nothing to install."""

    def lacks(self) -> str | None:
        """What is missing on this machine to run it, in words; None if nothing is."""

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:
        """Why it takes no part in a scenario with a serializer, in words; None if it does.

        Args:
            scenario: what is to be run.
            serializer: a name of ``SERIALIZERS``.
        """

    def start(self, folder: Path, redis_port: int | None = None) -> Running:
        """Start it and return when it takes connections.

        Args:
            folder: an empty one of its own, which is deleted afterwards.
            redis_port: of a Redis on 127.0.0.1 whose channels below ``organization.`` it is to
                turn into events on the topics of the same names; None for none.

        Raises:
            ServerFailed: it does not come up.
        """

    def stop(self) -> None:
        """Stop all its processes and wait for their end. Does nothing if it does not run."""
