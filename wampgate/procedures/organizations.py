"""``wampgate.organizations(offset=0, limit=100)``: the caller's own organizations, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.errors import RequestRefused, uri

if TYPE_CHECKING:
    from collections.abc import Collection

    from wampgate.authorization.memberships import Memberships
    from wampgate.core.procedures import Asked

NAME: Final = "wampgate.organizations"

MAX_PAGE: Final = 1000


class Organizations:
    """Lists what WELCOME has no room for. The result's kwargs: organizations (sorted ids), organization_count."""

    def __init__(self, memberships: Memberships | None) -> None:
        self._memberships = memberships

    async def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: the caller is no user, or the page is none.
            StoreUnavailable: the store can't say now.
        """
        caller = asked.caller.principal
        if caller.user is None:
            raise RequestRefused(uri.NOT_AUTHORIZED, "this session is no user's")
        page = {"offset": 0, "limit": 100, **asked.arguments("offset", "limit")}
        if any(type(number) is not int or number < 0 for number in page.values()) or page["limit"] > MAX_PAGE:
            raise RequestRefused(uri.INVALID_ARGUMENT, f"offset is 0 or more, limit is 0 to {MAX_PAGE}")
        ids = sorted(await self._ids(caller.user) if caller.organizations is None else caller.organizations)
        end = page["offset"] + page["limit"]
        asked.result(organizations=ids[page["offset"] : end], organization_count=len(ids))

    async def _ids(self, user: str) -> Collection[str]:
        if self._memberships is None:
            return ()
        known = self._memberships.known(user) or await self._memberships.load(user)
        return known.ids
