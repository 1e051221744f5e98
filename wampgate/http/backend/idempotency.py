"""Idempotency keys: what was answered under each, so that a repeat gets the same answer and does nothing.

In memory only: what a restart forgets, docs/http.md says. An answer is kept only
if something was done, or may have been; a refusal costs nothing to repeat.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from wampgate.http.backend.answers import unserved

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.http.backend.answers import Answer

KEPT_SECONDS: Final = 24 * 3600.0
TOTAL_BYTES: Final = 64 * 2**20
SHARES: Final = 8
"""One principal's answers may take an eighth of all the memory, so that nobody drives out everyone else's."""

MAX_KEY: Final = 255
_ENTRY_BYTES: Final = 600
"""What an entry takes beside its answer's body and its key."""


class Owner(NamedTuple):
    """Whose keys they are: nobody ever meets another one's."""

    realm: str
    authprovider: str
    authid: str


class Claim(NamedTuple):
    """One key of one owner on one route."""

    owner: Owner
    route: str
    key: str


class _Kept(NamedTuple):
    digest: bytes
    answer: Answer
    at: float
    size: int


class IdempotencyKeys:
    """What was answered, by key.

    Attributes:
        limit: how many answers are kept for one authid in one realm.
        counters: ``limit_idempotency_keys`` answers were forgotten before their time, ``replayed`` ones given again.
    """

    def __init__(self, keys_per_authid: int, now: Callable[[], float], *, total_bytes: int = TOTAL_BYTES) -> None:
        """Made once for all realms.

        Args:
            keys_per_authid: how many answers are kept for one authid in one realm.
            now: the monotonic clock, in seconds.
            total_bytes: the memory that all of them may take.
        """
        self.limit = keys_per_authid
        self._now = now
        self._total_bytes = total_bytes
        self._bytes = 0
        self._running: dict[Claim, bytes] = {}
        self._kept: OrderedDict[Claim, _Kept] = OrderedDict()
        self._theirs: dict[Owner, OrderedDict[Claim, None]] = {}
        self._bytes_by_owner: Counter[Owner] = Counter()
        self.counters: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._kept) + len(self._running)

    def begin(self, claim: Claim, body: bytes) -> Answer | None:
        """Claim a key for a request; None if it is new, and then :meth:`end` has to follow.

        Returns:
            The answer that was given to the same request before.

        Raises:
            Unserved: another body came under the key (422), or the first request is still being served (409).
        """
        self._forget_old()
        digest = sha256(body).digest()
        kept = self._kept.get(claim)
        known = self._running.get(claim) if kept is None else kept.digest
        if known is None:
            self._running[claim] = digest
            return None
        if known != digest:
            raise unserved(422, "this Idempotency-Key came with another body before: take a new key for a new request")
        if kept is None:
            raise unserved(409, "the first request with this Idempotency-Key is still being served; ask again")
        self.counters["replayed"] += 1
        return kept.answer

    def end(self, claim: Claim, answer: Answer | None) -> None:
        """The request has its answer; None if there was nobody any more to have one and nothing was done."""
        digest = self._running.pop(claim)
        if answer is None or not answer.settled:
            return
        size = len(answer.body) + len(claim.key) + _ENTRY_BYTES
        if size > self._total_bytes // SHARES:
            self.counters["limit_idempotency_keys"] += 1
            return
        self._kept[claim] = _Kept(digest, answer, self._now(), size)
        theirs = self._theirs.setdefault(claim.owner, OrderedDict())
        theirs[claim] = None
        self._bytes += size
        self._bytes_by_owner[claim.owner] += size
        self._make_room(claim.owner, theirs)

    def _make_room(self, owner: Owner, theirs: OrderedDict[Claim, None]) -> None:
        while len(theirs) > self.limit or self._bytes_by_owner[owner] > self._total_bytes // SHARES:
            self._drop(next(iter(theirs)))
            self.counters["limit_idempotency_keys"] += 1
        while self._bytes > self._total_bytes:
            self._drop(next(iter(self._kept)))
            self.counters["limit_idempotency_keys"] += 1

    def _forget_old(self) -> None:
        until = self._now() - KEPT_SECONDS
        while self._kept and (oldest := next(iter(self._kept.items())))[1].at <= until:
            self._drop(oldest[0])

    def _drop(self, claim: Claim) -> None:
        kept = self._kept.pop(claim)
        theirs = self._theirs[claim.owner]
        del theirs[claim]
        self._bytes -= kept.size
        self._bytes_by_owner[claim.owner] -= kept.size
        if not theirs:
            del self._theirs[claim.owner]
            del self._bytes_by_owner[claim.owner]


def key_of(values: list[str]) -> str | None:
    """The key of a request's Idempotency-Key headers; None without one.

    Args:
        values: the header's values; a quoted one (as the IETF's draft has it) means the same as a bare one.

    Raises:
        Unserved: there are several, or it is no key.
    """
    if not values:
        return None
    key = values[0].strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(values) > 1 or not 0 < len(key) <= MAX_KEY or not (key.isascii() and key.isprintable()):
        raise unserved(400, f"Idempotency-Key is one text of 1 to {MAX_KEY} printable ASCII characters")
    return key
