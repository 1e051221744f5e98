"""What a signed token says once its signature is known to be good, and who finds that out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.interfaces import Issued


@dataclass(frozen=True, slots=True)
class Signed:
    """A good token's content.

    Attributes:
        user: whose it is.
        seconds_left: how long it is still good, more than 0.
        issued: its own name and age.
        organizations: those that it names, with the user's role in each; None where memberships are the store's.
    """

    user: str
    seconds_left: float
    issued: Issued
    organizations: Mapping[str, str] | None = None


class SignedTokens(Protocol):
    """Reads one kind of signed token."""

    def recognizes(self, token: str) -> bool:
        """Whether a text has the form of such a token; says nothing about its signature."""

    async def verify(self, token: str) -> Signed:
        """What a token says, if all of it can be believed now.

        Raises:
            JoinRefused: it is not accepted.
            StoreUnavailable: the keys can't be had now.
        """
