"""Where the keys for signed tokens come from: fixed ones, a file, or a URL; the latter two may change at any time."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wampgate.authentication.keys import UnusableKeys, read_keys
from wampgate.authentication.watched_file import WatchedFile
from wampgate.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from wampgate.authentication.keys import Key, KeySet

LOOK_SECONDS: Final = 1.0
"""How often it is looked whether a file has changed."""

FRESH_SECONDS: Final = 300.0
"""For so long keys from a URL are used without asking again."""

REFETCH_SECONDS: Final = 30.0
"""The least time between two downloads: tokens that name unknown keys cause no more."""

STALE_SECONDS: Final = 86_400.0
"""For so long keys are used while their URL can't be reached."""

log = Logger()


class KeySource(Protocol):
    """Knows the keys of one issuer."""

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key that a token names and that is for its algorithm; None if there is none.

        Raises:
            StoreUnavailable: it can't be said now.
        """


class DownloadFailed(Exception):
    """The keys could not be downloaded; says why, in one sentence without secrets."""


class FixedKeys:
    """Keys that stay as they are."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """See :class:`KeySource`."""
        return self._keys.find(kid, algorithm)


class FileKeys:
    """Keys in a file: a JWK set, or one public key in PEM. They change when it does.

    Args:
        path: the file.
        now: the monotonic clock, in seconds.

    Raises:
        FileUnusable: it holds no keys.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._file = WatchedFile(path, lambda content: read_keys(content, secrets=True))
        self._now = now
        self._looked = now()

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """See :class:`KeySource`."""
        now = self._now()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._file.refresh()
        return self._file.content.find(kid, algorithm)


class UrlKeys:
    """Keys that an issuer publishes. They are asked for anew when they are old, or when a token names an unknown one.

    Args:
        url: for the log.
        download: fetches them, within a deadline of its own; raises :class:`DownloadFailed`.
        now: the monotonic clock, in seconds.
    """

    def __init__(self, url: str, download: Callable[[], Awaitable[bytes]], now: Callable[[], float]) -> None:
        self._url = url
        self._download = download
        self._now = now
        self._keys: KeySet | None = None
        self._had = -inf
        self._asked = -inf
        self._failed = False
        self._complaint = ""
        self._waiting: list[Deferred[None]] | None = None

    async def start(self) -> None:
        """Fetch them, so that the first token need not wait. Without an answer the router starts all the same."""
        await self._refresh()

    @property
    def ready(self) -> bool:
        """Whether there are any."""
        return self._keys is not None

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """See :class:`KeySource`."""
        if self._now() - self._had >= FRESH_SECONDS:
            await self._refresh()
        key = self._find(kid, algorithm)
        if key is None:
            await self._refresh()
            key = self._find(kid, algorithm)
        if key is None and (self._failed or self._keys is None):
            raise StoreUnavailable("the keys for signed tokens can't be had now; the log says why")
        return key

    def _find(self, kid: str | None, algorithm: str) -> Key | None:
        if self._keys is None or self._now() - self._had >= STALE_SECONDS:
            return None
        return self._keys.find(kid, algorithm)

    async def _refresh(self) -> None:
        """Fetch the keys, unless that was done just now; who comes meanwhile waits for the same answer."""
        if self._waiting is not None:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter
            return
        now = self._now()
        if now - self._asked < REFETCH_SECONDS:
            return
        self._asked = now
        self._waiting = []
        try:
            self._take(read_keys(await self._download(), secrets=False), now)
        except (DownloadFailed, UnusableKeys) as error:
            self._complain(str(error))
        finally:
            waiting, self._waiting = self._waiting, None
            for waiter in waiting:
                waiter.callback(None)

    def _take(self, keys: KeySet, asked: float) -> None:
        if self._keys is None or self._failed:
            log.info("keys for signed tokens: {count} from {url}", count=len(keys), url=self._url)
        self._keys = keys
        self._had = asked
        self._failed = False
        self._complaint = ""

    def _complain(self, reason: str) -> None:
        """Say why there are none: each reason once, until there were some again."""
        self._failed = True
        if reason != self._complaint:
            self._complaint = reason
            log.error(
                "keys for signed tokens: none from {url}: {reason}; trying again when a token needs them",
                url=self._url,
                reason=reason,
            )
