"""The credentials of the principals that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wampgate.core.interfaces import Connection, Credentials
    from wampgate.wire.messages import HelloDetails

_KEYS: Final = {"cryptosign": "public_key", "tls": "fingerprint"}
"""The methods by which one shows a key instead of a name, and what the key is called among the credentials."""


class StaticCredentials:
    """A :class:`wampgate.core.interfaces.CredentialSource` that never changes.

    Args:
        credentials: by authmethod; several of one principal where it has several keys.
    """

    def __init__(self, credentials: Iterable[tuple[str, Credentials]]) -> None:
        self._known = {
            (authmethod, str(each.secret[_KEYS[authmethod]]) if authmethod in _KEYS else each.authid): each
            for authmethod, each in credentials
        }

    async def credentials(
        self,
        authmethod: str,
        authid: str | None,
        key: str | None,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        connection: Connection,  # noqa: ARG002 - the interface's
    ) -> Credentials | None:
        """See :meth:`wampgate.core.interfaces.CredentialSource.credentials`."""
        if authmethod not in _KEYS:
            return None if authid is None else self._known.get((authmethod, authid))
        found = None if key is None else self._known.get((authmethod, key))
        return found if found is None or authid is None or authid == found.authid else None

    def of(self, authmethod: str) -> tuple[Credentials, ...]:
        """All of one method, in the configuration's order."""
        return tuple(each for (method, _), each in self._known.items() if method == authmethod)
