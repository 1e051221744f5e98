"""What of a login counts as one guess, and which names nobody may get by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.core.errors import JoinRefused, uri

if TYPE_CHECKING:
    from wampgate.core.interfaces import Connection, Principal
    from wampgate.core.session import Session


def guess_of_hello(session: Session, authmethod: str) -> str | None:
    """What a HELLO has looked up, as it counts for the guesses of its address; None if nothing is looked up for it."""
    if authmethod == "ticket":
        return _shown_token(session.connection) if session.connection.shows_token else None
    return None if authmethod == "anonymous" else alone(session)


def alone(session: Session) -> str:
    """Stands for a guess that no other session makes."""
    return f"session {id(session)}"


def check_names(principal: Principal) -> None:
    """See that a principal's names can be told: text with NUL in it is binary data to readers of JSON.

    Raises:
        JoinRefused: they can't.
    """
    if "\0" in principal.authid or "\0" in principal.authrole:
        raise JoinRefused(uri.AUTHENTICATION_DENIED, "the token is not accepted", "its authid or authrole holds NUL")


def _shown_token(connection: Connection) -> str:
    """The token that came with the HTTP request."""
    ticket = connection.bearer or (connection.query and connection.query.token)
    return ticket.reveal() if ticket else ""
