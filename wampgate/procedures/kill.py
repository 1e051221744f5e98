"""``wampgate.sessions.kill``: ends the sessions of a user, a token, an organization or an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.kills import MESSAGE, Kills
from wampgate.core.uri import is_uri

if TYPE_CHECKING:
    from wampgate.authorization.standing import Standing
    from wampgate.core.interfaces import EndBy
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm

NAME: Final = "wampgate.sessions.kill"

_BY: Final[tuple[EndBy, ...]] = ("authid", "token_hash", "organization", "address")


class Kill:
    """Takes exactly one of authid, token_hash, organization and address, and perhaps a reason (a URI) and a message.

    The result is how many sessions were ended. The caller's own lives on.
    """

    def __init__(self, realm: Realm, standing: Standing | None) -> None:
        self._kills = Kills(realm, None if standing is None else standing.belongs)

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: the arguments don't say whom.
        """
        values = asked.arguments(*_BY, "reason", "message")
        by = [(name, values[name]) for name in _BY if values.get(name) is not None]
        reason = values.get("reason", uri.KILLED)
        message = values.get("message", MESSAGE)
        if len(by) != 1 or not isinstance(by[0][1], str) or not isinstance(message, str):
            raise RequestRefused(uri.INVALID_ARGUMENT, f"name exactly one of {', '.join(_BY)}, as text")
        if not isinstance(reason, str) or not is_uri(reason):
            raise RequestRefused(uri.INVALID_ARGUMENT, "the reason is not a URI")
        asked.result(self._kills.end(by[0][0], by[0][1], reason, message, caller=asked.caller))
