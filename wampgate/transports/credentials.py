"""What an HTTP request shows of who sends it: a token in ``Authorization`` or in the query string, or a cookie."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Final

from wampgate.core.interfaces import Query, Ticket
from wampgate.core.logins import COOKIE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_AGENT: Final = 100
"""Characters of a User-Agent; what is longer is cut."""

_MAX_COOKIE: Final = 128
"""Characters of a session cookie's value; ours are shorter."""


class RepeatedParameter(Exception):
    """A parameter of the query string, or our cookie, appears more than once, so that it says two things.

    Its text is its name.
    """


@dataclass(frozen=True, slots=True)
class Shown:
    """What an HTTP request shows of who sends it, as :class:`wampgate.core.interfaces.Connection` has it."""

    agent: str = ""
    bearer: Ticket | None = None
    query: Query | None = None
    cookie: Ticket | None = None


NOTHING_SHOWN: Final = Shown()


def shown_by(headers: Mapping[str, str], parameters: Mapping[str, Sequence[str]] | None, *, cookies: bool) -> Shown:
    """What a request shows of who sends it.

    Args:
        headers: by names in lower case.
        parameters: of the query string, decoded values by name; None where no realm takes tokens from there.
        cookies: whether any realm takes cookies.

    Raises:
        RepeatedParameter: the query string or the cookies say two things.
    """
    # All clients of one kind say the same: it is kept once.
    agent = intern(str(headers.get("user-agent", ""))[:_MAX_AGENT])
    return Shown(
        agent,
        bearer_of(headers) if "authorization" in headers else None,
        None if parameters is None else query_of(parameters),
        cookie_of(headers) if cookies else None,
    )


def bearer_of(headers: Mapping[str, str]) -> Ticket | None:
    """The token of ``Authorization: Bearer`` (RFC 6750, section 2.1); None without one.

    Args:
        headers: by names in lower case.
    """
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    # A proxy in front of us may have asked for Basic: that is none of our business.
    return Ticket(token.strip()) if scheme.lower() == "bearer" else None


def query_of(parameters: Mapping[str, Sequence[str]]) -> Query:
    """The token and the organization of a query string; empty parameters count as missing.

    Args:
        parameters: decoded values by name.

    Raises:
        RepeatedParameter: one of the two appears more than once.
    """
    token, organization = (_only(parameters, name) for name in ("token", "organizationId"))
    return Query(Ticket(token) if token else None, organization or None)


def cookie_of(headers: Mapping[str, str]) -> Ticket | None:
    """The session cookie (RFC 6265, section 4.2); None without one, and without an ``Origin``.

    A cookie comes along whoever makes a browser send a request. Where it counts, that has
    to be known: so a request that does not tell its page's origin has none. Whether that
    origin may come in is decided before.

    Args:
        headers: by names in lower case.

    Raises:
        RepeatedParameter: it appears more than once.
    """
    if not headers.get("origin"):
        return None
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    values = [value for name, _, value in pairs if name == COOKIE]
    if len(values) > 1:
        raise RepeatedParameter(COOKIE)
    return Ticket(values[0]) if values and 0 < len(values[0]) <= _MAX_COOKIE else None


def without_quotations(reason: str) -> str:
    """What is wrong with a request, without the words of the request that stand in quotation marks."""
    before, quotation, rest = reason.partition('"')
    return f"{before}(hidden){rest.rpartition(quotation)[2]}" if quotation else reason


def _only(parameters: Mapping[str, Sequence[str]], name: str) -> str:
    values = parameters.get(name, ())
    if len(values) > 1:
        raise RepeatedParameter(name)
    return values[0] if values else ""
