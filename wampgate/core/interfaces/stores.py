"""The contracts of stores: tokens and memberships, and kept events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wampgate.core.stored_events import StoredEvent


@dataclass(frozen=True, slots=True)
class Token:
    """What a token store knows of a token.

    Attributes:
        user: whose it is, as text.
        seconds_left: how long it is still good by the store's own clock: 0 or
            less if it has expired, infinity if it never does.
    """

    user: str
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Membership:
    """A user belongs to an organization.

    Attributes:
        organization: the organization's id as the store has it, as text. Not yet
            checked: it may be no legal id.
        role: the user's role there; empty if the store keeps none.
        since: when it began, in seconds since 1970; infinity if the store has no time for this
            one; None if it keeps none at all.
    """

    organization: str
    role: str = ""
    since: float | None = None


EndBy: TypeAlias = Literal["authid", "user", "token_hash", "organization", "address", "session", "login"]
"""By what sessions are named that shall end."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something in a token store may have changed. A hint only: who hears it asks the store.

    Attributes:
        users: whose memberships, tokens or logins may have changed, by user id, and whose credentials,
            by authid.
        everything: whether anything may have changed, for anyone.
    """

    users: frozenset[str] = frozenset()
    everything: bool = False


class TokenStore(Protocol):
    """Where tokens and memberships live: Postgres, SQLite or memory. One per realm.

    Every answer comes within the store's own deadline, or
    :class:`wampgate.core.errors.StoreUnavailable` is raised. Nothing here blocks,
    and no token reaches a log, an error text or a ``repr``.
    """

    async def look_up(self, token: str, digest: str | None = None) -> Token | None:
        """The token's row, expired or not; None if there is none.

        Args:
            token: what the client has shown, or its name.
            digest: the SHA-256 of its UTF-8 in lower-case hexadecimal, where the caller has it already.

        Raises:
            StoreUnavailable: no answer could be had in time.
        """

    async def memberships(self, user: str) -> Sequence[Membership]:
        """The organizations that a user belongs to now, in no particular order; empty for an unknown user.

        Raises:
            StoreUnavailable: no answer could be had in time.
        """

    async def look_up_all(self, tokens: Sequence[str]) -> Mapping[str, Token]:
        """The rows of many tokens, by token; a token without a row is missing. Asked in batches.

        Never shares the answer to a question that was asked before.

        Raises:
            StoreUnavailable: not all answers could be had in time.
        """

    async def memberships_of(self, users: Sequence[str]) -> Mapping[str, Sequence[Membership]]:
        """The organizations of many users, by user; every user that was asked for is there. Asked in batches.

        Never shares the answer to a question that was asked before.

        Raises:
            StoreUnavailable: not all answers could be had in time.
        """

    def watch(self, changed: Callable[[Change], None]) -> None:
        """Call back with each change that is heard of, until the store stops. Called once, before it starts.

        After a change was told, no question is answered with what was read before it.
        """

    @property
    def hears(self) -> bool:
        """Whether changes are heard of at once, now; if not, only a sweep finds them."""


class HistoryStore(Protocol):
    """Keeps a realm's events beyond the process: appends behind the router's back, in the order that it is told.

    Whatever it could not append begins a new epoch there, never a silent hole:
    then what was appended before is no position any more once the process has ended.
    """

    @property
    def epoch(self) -> str:
        """The name of the unbroken run of events that it is appending to."""

    def append(self, event: StoredEvent, previous: int) -> None:
        """Queue an event. Never raises, never blocks.

        Args:
            event: what to keep, with its sequence.
            previous: the sequence of the event before it on its topic; 0 if it is the first.
        """

    def forget(self, events: Sequence[StoredEvent], floor: int) -> None:
        """Queue the removal of events that are kept no more. Never raises, never blocks.

        Args:
            events: what exceeds the bounds.
            floor: the newest event of any topic of which nothing is kept any more.
        """


class EventsAfter(Protocol):
    """A source that keeps its events itself, further back than the memory: a stream that a bridge reads."""

    async def events_after(self, topic: str, publication: int, limit: int) -> Sequence[StoredEvent] | None:
        """What came on a topic behind an event, oldest first, without a hole up to now; None if it can't be said.

        Args:
            topic: a topic that it publishes on.
            publication: the event's publication id.
            limit: so many events at most, at least 1; an answer that is shorter is complete.
        """
