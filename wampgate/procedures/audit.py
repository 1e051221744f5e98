"""``wampgate.audit.recent(limit=100, event=null, authid=null)``: the last entries of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.observation.audit import EVENTS, RECENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.observation.audit import Audit

NAME: Final = "wampgate.audit.recent"


class RecentAudit:
    """Tells what is remembered of the caller's realm, newest first.

    The result's kwargs: entries, and file: null without one, or an object with ready, written, lost and failures.

    Args:
        realm: whose entries.
        audit: remembers them.
        file: what becomes of the file, or None.
    """

    def __init__(self, realm: Realm, audit: Audit, file: Callable[[], dict[str, Any] | None]) -> None:
        self._realm = realm
        self._audit = audit
        self._file = file

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: the arguments are of the wrong kind.
        """
        values = {"limit": 100, **asked.arguments("limit", "event", "authid")}
        limit, event, authid = values["limit"], values.get("event"), values.get("authid")
        if type(limit) is not int or not 1 <= limit <= RECENT:
            raise RequestRefused(uri.INVALID_ARGUMENT, f"limit is a number from 1 to {RECENT}")
        if event is not None and (not isinstance(event, str) or event not in EVENTS):
            raise RequestRefused(uri.INVALID_ARGUMENT, f"event is null or one of {', '.join(sorted(EVENTS))}")
        if authid is not None and not isinstance(authid, str):
            raise RequestRefused(uri.INVALID_ARGUMENT, "authid is a text, or null")
        asked.result(entries=self._audit.recent(self._realm.name, limit, event=event, authid=authid), file=self._file())
