"""The section of router.json about session cookies."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from wampgate.config.formats import is_open_origin
from wampgate.config.section import Section

CookieSeconds = Annotated[float, Meta(ge=1, le=2_592_000, description="a number of seconds from 1 to 2592000")]
CookieCount = Annotated[int, Meta(ge=1, le=1_000, description="a whole number from 1 to 1000")]


class CookieAuthentication(Section, frozen=True, kw_only=True):
    """Session cookies: a page shows its token once, to ``POST /session``. ``docs/authentication.md`` tells more.

    Attributes:
        keep: where they are kept: in ``memory`` until the process ends, or in the
            realm's ``store``, where they survive it and all nodes know them.
        most_seconds: no cookie is good for longer, whatever its token is.
        per_authid: how many one authid may have at a time.
    """

    keep: Literal["memory", "store"] = "memory"
    most_seconds: CookieSeconds = 43_200.0
    per_authid: CookieCount = 20


def without_tickets(cookie: CookieAuthentication | None, ticket: object) -> str | None:
    """What cookies lack that stand for tokens, where none are taken; None if nothing is missing."""
    return "no such section" if cookie is not None and ticket is None else None


def without_store(store: object, cookie: CookieAuthentication | None) -> str | None:
    """What cookies lack that are to be kept in a store; None if nothing is missing."""
    return "no store" if store is None and cookie is not None and cookie.keep == "store" else None


def open_origin(origins: tuple[str, ...], realms: tuple[Any, ...]) -> str | None:
    """An origin that anybody on the network could write pages for, beside cookies; None if there is none.

    Args:
        origins: those that are listed.
        realms: the sections of the realms.
    """
    index = next((index for index, realm in enumerate(realms) if realm.authentication.cookie is not None), None)
    origin = next((origin for origin in origins if is_open_origin(origin)), None)
    return None if index is None or origin is None else f"{origin}, and realms[{index}] has cookies"
