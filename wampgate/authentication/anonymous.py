"""The authmethod ``anonymous``: whoever asks gets the role that the configuration names. Off by default."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import JoinRefused, uri
from wampgate.core.interfaces import Challenge, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.interfaces import Connection
    from wampgate.wire.messages import HelloDetails


class AnonymousAuthenticator:
    """Takes anyone in, under a random authid."""

    authmethod: Final = "anonymous"

    def __init__(self, role: str) -> None:
        self._role = role

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:  # noqa: ARG002 - the interface's
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`."""
        return Principal(f"anonymous-{secrets.token_hex(8)}", self._role, "anonymous", "anonymous")

    async def authenticate(
        self,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        challenge: Challenge,  # noqa: ARG002 - the interface's
        signature: str,  # noqa: ARG002 - the interface's
        extra: Mapping[str, Any],  # noqa: ARG002 - the interface's
    ) -> Principal:
        """Never reached: ``hello`` asks nothing.

        Raises:
            JoinRefused: always.
        """
        raise JoinRefused(uri.AUTHENTICATION_DENIED, "nothing was asked")
