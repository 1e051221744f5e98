"""Signed tokens that are no longer good though their signature is: a file that the operator or an application writes.

A file, and no table: it works without a store, costs a login no question, is in
force for those who are here already as soon as it is written, and goes on to hold
when a database does not answer. Who records issued tokens in a table anyway has
the router look there instead (``jti_in_store``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from wampgate.authentication.watched_file import WatchedFile
from wampgate.core.errors import uri

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wampgate.core.interfaces import Issued
    from wampgate.core.realm import Realm
    from wampgate.core.router import Router

LOOK_SECONDS: Final = 1.0
"""How often it is looked whether the file has changed."""

_FIELDS: Final = {"jti", "user", "issued_before"}


class UnusableDenials(ValueError):
    """The content is no deny list; says where and why, without its content."""


@dataclass(slots=True)
class Denials:
    """What a deny list says.

    Attributes:
        ids: tokens, by jti.
        users: whose tokens, all of them.
        before: everyone's tokens that were issued earlier than this, in seconds since 1970.
        before_by_user: the same for one user's.
    """

    ids: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    before: float = 0.0
    before_by_user: dict[str, float] = field(default_factory=dict)

    def include(self, user: str, issued: Issued) -> bool:
        """Whether a token is denied. One that does not say when it was issued may be older than any time."""
        if user in self.users or (issued.id is not None and issued.id in self.ids):
            return True
        before = max(self.before, self.before_by_user.get(user, 0.0))
        return before > 0 and (issued.at is None or issued.at < before)


def read_denials(content: bytes) -> Denials:
    """The deny list of a JSON document: ``{"denied": [{"jti": …}, {"user": …}, {"user": …, "issued_before": …}, …]}``.

    ``issued_before`` is a number of seconds since 1970, or a time with an offset
    as in RFC 3339; alone it denies everyone's older tokens.

    Raises:
        UnusableDenials: it is none. Nothing of it is used then: half a deny list denies half.
    """
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnusableDenials("it is not JSON") from None
    if not isinstance(document, dict) or set(document) != {"denied"} or not isinstance(document["denied"], list):
        raise UnusableDenials('expected an object with a list "denied" and nothing else')
    denials = Denials()
    for number, entry in enumerate(document["denied"]):
        try:
            _include(denials, entry)
        except UnusableDenials as fault:
            raise UnusableDenials(f"denied[{number}]: {fault}") from None
    return denials


def _include(denials: Denials, entry: object) -> None:
    if not isinstance(entry, dict) or not entry or not set(entry) <= _FIELDS:
        raise UnusableDenials("expected an object of jti alone, or of user, issued_before or both")
    user, before = entry.get("user"), entry.get("issued_before")
    if "jti" in entry:
        if len(entry) > 1:
            raise UnusableDenials("expected jti alone, since it names one token")
        denials.ids.add(_text(entry["jti"], "jti"))
    elif "issued_before" not in entry:
        denials.users.add(_text(user, "user"))
    elif "user" not in entry:
        denials.before = max(denials.before, _instant(before))
    else:
        name = _text(user, "user")
        denials.before_by_user[name] = max(denials.before_by_user.get(name, 0.0), _instant(before))


def _text(value: object, name: str) -> str:
    # An id that is a number in one place is a text in another.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise UnusableDenials(f"expected {name} to be text that is not empty")
    return value


def _instant(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return float(value)
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            instant = None
        if instant is not None and instant.tzinfo is not None:
            return instant.timestamp()
    raise UnusableDenials('expected issued_before to be seconds since 1970, or a time such as "2026-01-31T12:00:00Z"')


class DenyList:
    """The deny list in a file, as it is now.

    Args:
        path: the file; it must be there.

    Raises:
        FileUnusable: it is not there, or is no deny list.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, read_denials)

    def refresh(self) -> bool:
        """Read the file if it has changed; whether it has."""
        return self._file.refresh()

    def denies(self, user: str, issued: Issued) -> bool:
        """Whether a token is denied now."""
        return self._file.content.include(user, issued)


class DenialWatch:
    """Ends the sessions whose token comes to be denied.

    Args:
        deny_list: what is denied.
        realm: whose sessions.
        router: ends them.
        now: the monotonic clock, in seconds.
        join_seconds: how long a session may take to join after its token was looked at.
    """

    def __init__(
        self, deny_list: DenyList, realm: Realm, router: Router, *, now: Callable[[], float], join_seconds: float
    ) -> None:
        self._deny_list = deny_list
        self._realm = realm
        self._router = router
        self._now = now
        self._join_seconds = join_seconds
        self._until = -inf

    def look(self) -> None:
        """Look whether the list has changed, and end those that it denies. To be called every second."""
        if self._deny_list.refresh():
            # Who is just joining was let in by the list as it was.
            self._until = self._now() + self._join_seconds + LOOK_SECONDS
        if self._now() <= self._until:
            self._end()

    def _end(self) -> None:
        for session in list(self._realm.sessions.values()):
            principal = session.principal
            if principal.issued is not None and self._deny_list.denies(principal.authid, principal.issued):
                self._router.goodbye(session, uri.TOKEN_REVOKED, "the token was revoked")
