"""Remembers what changed when, so that an answer which was read before a change can be told from one read after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wampgate.core.interfaces import Change

_MANY: Final = 10_000
"""Above so many users, everyone counts as changed: it costs questions that are asked again, no memory."""


class Revisions:
    """A number that grows with each change.

    Attributes:
        number: to be noted when a question is asked, and shown to :meth:`changed_since` with its answer.
    """

    def __init__(self) -> None:
        self.number = 0
        self._everything = 0
        self._number_by_user: dict[str, int] = {}

    def note(self, change: Change) -> None:
        """A change was heard of: what was asked before holds no more for those it concerns."""
        self.number += 1
        if change.everything or len(self._number_by_user) + len(change.users) > _MANY:
            self._number_by_user.clear()
            self._everything = self.number
            return
        for user in change.users:
            self._number_by_user[user] = self.number

    def changed_since(self, number: int, user: str | None) -> bool:
        """Whether a user's rows may have changed since a number was noted; None for no user in particular."""
        if self._everything > number:
            return True
        return user is not None and self._number_by_user.get(user, 0) > number
