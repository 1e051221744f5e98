"""``redis://user:password@host:port``: read into its parts, and never shown with its password."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_DEFAULT_PORT: Final = 6379
_LAST_DATABASE: Final = 2**31 - 1
_FORM: Final = "write redis://host, or rediss://user:password@host:port for TLS and an ACL user"


class InvalidRedisUrl(ValueError):
    """A URL can't be used. Its text says what is wrong and holds nothing of the URL, since that may be a secret."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis listens and how to speak to it. Neither ``str`` nor ``repr`` shows user or password.

    Attributes:
        host: a name or an IP address, without brackets.
        port: its TCP port.
        tls: whether the connection is encrypted (``rediss``).
        username: the ACL user; None for the default one.
        password: None if there is none to show.
        database: the number of the database: where streams are. Publishing and subscribing know none.
    """

    host: str
    port: int = _DEFAULT_PORT
    tls: bool = False
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    database: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}"


def parse_redis_url(url: str) -> RedisAddress:
    """The parts of a Redis URL; user and password are percent-decoded.

    A database number may follow, as in ``redis://host/1``.

    Raises:
        InvalidRedisUrl: something is wrong with it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # urlsplit's own text would quote what it stumbled over, maybe a password.
        raise InvalidRedisUrl(
            f"the Redis URL is malformed: percent-encode the password's '/', '#', '?'; {_FORM}"
        ) from None
    if parts.scheme not in ("redis", "rediss"):
        raise InvalidRedisUrl(f"the Redis URL begins with neither redis:// nor rediss://; {_FORM}")
    if not parts.hostname or port == 0:
        raise InvalidRedisUrl(f"the Redis URL lacks a host or has port 0; {_FORM}")
    if parts.query or parts.fragment:
        raise InvalidRedisUrl(f"the Redis URL has a '?' or '#', percent-encode it in a password; {_FORM}")
    database = _database(parts.path)
    username, password = _credentials(parts)
    return RedisAddress(parts.hostname, port or _DEFAULT_PORT, parts.scheme == "rediss", username, password, database)


def _database(path: str) -> int:
    number = path.removeprefix("/")
    if not number:
        return 0
    if not (number.isascii() and number.isdigit() and int(number[:11]) <= _LAST_DATABASE):
        raise InvalidRedisUrl("the Redis URL's path is no database number; leave it out, or write redis://host/1")
    return int(number)


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    if not parts.username and not parts.password:
        return None, None
    if not parts.password:
        raise InvalidRedisUrl(f"the Redis URL names a user without a password; {_FORM}")
    try:
        username = unquote(parts.username or "", errors="strict")
        return username or None, unquote(parts.password, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRedisUrl("the Redis URL's user or password is percent-encoded, but not as UTF-8") from None
