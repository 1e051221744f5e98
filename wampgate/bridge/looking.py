"""Looks at a bridge's Redis as the router will use it: for the command line, not for the reactor."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Final

import hiredis

from wampgate.bridge.redis_url import RedisAddress, parse_redis_url
from wampgate.findings import Finding, NotWell, timed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SECONDS: Final = 5.0
"""For the connection, and for each answer."""


class Refusal(Exception):
    """Redis answered by an error; its text is Redis' own."""


class Conversation:
    """A connection to Redis that asks one thing after the other.

    Args:
        stream: the socket, connected.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._reader = hiredis.Reader()

    def ask(self, *words: str) -> Any:
        """The answer to a command.

        Raises:
            Refusal: it is an error.
            OSError: there is none.
        """
        parts = [word.encode() for word in words]
        self._stream.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        while (answer := self._reader.gets()) is False:
            data = self._stream.recv(65536)
            if not data:
                raise ConnectionError("the connection was closed")
            self._reader.feed(data)
        if isinstance(answer, hiredis.ReplyError):
            raise Refusal(str(answer))
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()


def look_at_redis(
    url: str, *, ca_file: str | None = None, streams: Sequence[str] = (), state_folder: Path | None = None
) -> Iterator[Finding]:
    """What a bridge's Redis is like, one thing after the other; ends where nothing more can be told. Blocks.

    Args:
        url: where it is.
        ca_file: the authorities that vouch for it; None for the system's.
        streams: the keys of the streams that are read, those with variables left out.
        state_folder: where the router keeps how far it has read; None where it keeps nothing.
    """
    address = parse_redis_url(url)
    opened: list[Conversation] = []
    yield timed("connection", lambda: _connect(address, ca_file, opened))
    if opened:
        with closing(opened[0]) as redis:
            yield timed("PING", lambda: _ping(redis))
            for key in streams:
                yield timed(f"stream {key}", lambda key=key: _stream(redis, key))  # type: ignore[misc]  # mypy can't infer a lambda's defaults
    if state_folder is not None:
        yield timed("state_folder", lambda: _folder(state_folder))


def _connect(address: RedisAddress, ca_file: str | None, opened: list[Conversation]) -> str:
    try:
        with ExitStack() as unless_well:
            stream = unless_well.enter_context(socket.create_connection((address.host, address.port), SECONDS))
            if address.tls:
                context = ssl.create_default_context(cafile=ca_file)
                stream = unless_well.enter_context(context.wrap_socket(stream, server_hostname=address.host))
            redis = Conversation(stream)
            _log_in(redis, address)
            unless_well.pop_all()
    except ssl.SSLError as error:
        raise NotWell(f"{address}: TLS: {error.reason or 'failed'}", "name the authority in ca_file") from None
    except OSError as error:
        raise NotWell(f"{address}: {error.strerror or error}", "start it, or mend the url: host and port") from None
    except Refusal as refusal:
        raise NotWell(f"{address}: {refusal}", "mend user and password in the url, or its user's rights") from None
    opened.append(redis)
    return f"{address}{', with TLS' if address.tls else ''}"


def _log_in(redis: Conversation, address: RedisAddress) -> None:
    if address.password is not None:
        redis.ask("AUTH", *([address.username] if address.username else []), address.password)
    if address.database:
        redis.ask("SELECT", str(address.database))
    redis.ask("PING")


def _ping(redis: Conversation) -> str:
    try:
        redis.ask("PING")
    except (OSError, Refusal) as error:
        raise NotWell(str(error)) from None
    return "answers"


def _stream(redis: Conversation, key: str) -> str:
    try:
        kind = redis.ask("TYPE", key)
        if kind not in (b"stream", b"none"):
            raise NotWell(f"is a {kind.decode()}, not a stream", "let the rule name another key")
        return "is not there yet" if kind == b"none" else f"{redis.ask('XLEN', key)} entries"
    except (OSError, Refusal) as error:
        raise NotWell(str(error), "give the url's user the right to read it") from None


def _folder(folder: Path) -> str:
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise NotWell(f"{folder} can't be written to", "give the router's user the right to write there")
    return f"{folder}" if folder.exists() else f"{folder} will be made"
