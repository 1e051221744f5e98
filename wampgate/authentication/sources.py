"""Where principals are known: one source is asked after the other, and the answer kept until it is proved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import JoinRefused, uri
from wampgate.core.interfaces import NOT_ACCEPTED, Principal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from wampgate.core.interfaces import Connection, Credentials, CredentialSource
    from wampgate.wire.messages import HelloDetails

MAX_AUTHID: Final = 256
"""Characters of an authid; a longer one is nobody's, and would be sent back in a challenge."""


class CredentialChain:
    """Several sources as one: the first that knows a principal has the say.

    Args:
        sources: in the order in which they are asked; the configuration first.
        reserved: the authids of the configuration, which no other source can give to anyone.
    """

    def __init__(self, sources: Sequence[CredentialSource], *, reserved: Collection[str] = ()) -> None:
        self._sources = tuple(sources)
        self._reserved = frozenset(reserved)

    async def credentials(
        self, authmethod: str, authid: str | None, key: str | None, details: HelloDetails, connection: Connection
    ) -> Credentials | None:
        """See :meth:`wampgate.core.interfaces.CredentialSource.credentials`."""
        for source in self._sources:
            found = await source.credentials(authmethod, authid, key, details, connection)
            if found is not None:
                self._check(found)
                return found
        return None

    def _check(self, found: Credentials) -> None:
        """See that a source does not give away who is the configuration's or the router's own.

        Raises:
            JoinRefused: it does.
        """
        if found.provider != "static" and not self._reserved.isdisjoint((found.authid, found.user or "")):
            raise denied(f"{found.provider} credentials under a static principal's authid {found.authid!r}")
        for name in (found.authid, found.authrole):
            if name == "wampgate" or name.startswith("wampgate."):
                raise denied(f"{found.provider} credentials with {name!r}, which is the router's own")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a challenge was sent, kept until the answer comes.

    Attributes:
        credentials: what the answer is judged by; made up if nobody is known.
        expires: when they end, by the router's monotonic clock; None for never.
        unknown: why no answer can be right, for the log; empty if one can.
    """

    credentials: Credentials
    expires: float | None = None
    unknown: str = ""


class KnownPrincipals:
    """Finds out who a client says it is, and makes a principal of those who have proved it.

    Args:
        source: where principals are known.
        role: the role of those whose source names none.
        now: the router's monotonic clock, in seconds.
    """

    def __init__(self, source: CredentialSource, *, role: str, now: Callable[[], float]) -> None:
        self._source = source
        self._role = role
        self._now = now

    async def look_up(
        self, authmethod: str, authid: str | None, key: str | None, details: HelloDetails, connection: Connection
    ) -> Asked | str:
        """What is known of a client, or in one sentence for the log why nothing is.

        Whom a source denies learns that once the challenge is answered, as everyone does whom nobody knows.
        See :class:`wampgate.core.interfaces.CredentialSource` for the arguments.

        Raises:
            JoinRefused: for another reason than that it is denied.
            StoreUnavailable: it can't be said now.
        """
        try:
            found = await self._source.credentials(authmethod, authid, key, details, connection)
        except JoinRefused as refusal:
            if refusal.error != uri.AUTHENTICATION_DENIED:
                raise
            return refusal.log or refusal.message
        if found is None:
            return f"no {authmethod} credentials are known of " + (repr(authid) if key is None else f"the key {key}")
        if not found.seconds_left > 0:  # so that NaN is refused too
            return f"the {authmethod} credentials of {found.authid!r} have expired"
        return Asked(found, None if math.isinf(found.seconds_left) else self._now() + found.seconds_left)

    def role_of(self, credentials: Credentials) -> str:
        """The role that someone gets by these credentials."""
        return credentials.authrole or self._role

    def principal(self, asked: Asked, authmethod: str, extra: Mapping[str, Any] | None = None) -> Principal:
        """Who has proved to be known by these credentials.

        Args:
            asked: what is known.
            authmethod: how it has been proved.
            extra: what the method adds to WELCOME's authextra.
        """
        credentials = asked.credentials
        return Principal(
            credentials.authid,
            self.role_of(credentials),
            authmethod,
            credentials.provider,
            user=credentials.user,
            expires=asked.expires,
            extra={**credentials.extra, **(extra or {})},
            known=credentials.known,
        )


def asking_authid(details: HelloDetails, authmethod: str) -> str:
    """The authid that HELLO names.

    Raises:
        JoinRefused: it names none, or one that nobody can have.
    """
    if not details.authid:
        raise JoinRefused(uri.INVALID_ARGUMENT, f"{authmethod} needs HELLO.Details.authid: name who joins")
    check_length(details.authid)
    return details.authid


def check_length(authid: str) -> None:
    """See that an authid is one that somebody can have.

    Raises:
        JoinRefused: it is too long.
    """
    if len(authid) > MAX_AUTHID:
        raise JoinRefused(uri.INVALID_ARGUMENT, f"HELLO.Details.authid is longer than {MAX_AUTHID} characters")


def denied(log: str) -> JoinRefused:
    """The one refusal of all methods; why, the log alone tells."""
    return JoinRefused(uri.AUTHENTICATION_DENIED, NOT_ACCEPTED, log)
