"""``wampgate.usage.organizations(organization=null, after=null, limit=1000)``: what each organization uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.observation.log_forms import instant

if TYPE_CHECKING:
    from wampgate.core.broker import Subscription
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.sifting import Sifter
    from wampgate.observation.usage import Usage

NAME: Final = "wampgate.usage.organizations"

MAX_ROWS: Final = 5000
"""So many organizations are in one answer."""

_ROWS: Final = 1000


class OrganizationUsage:
    """Tells what was used in a realm since the router started, by organization.

    The result's kwargs: since (ISO 8601, UTC), organizations (each with organization, connections,
    connection_seconds, logins and deliveries; sorted by id), next (``after`` for the next page, or null).

    Args:
        realm: whose subscriptions.
        usage: the accounts.
        sifter: looks through the subscriptions.
    """

    def __init__(self, realm: Realm, usage: Usage, sifter: Sifter) -> None:
        self._realm = realm
        self._usage = usage
        self._sifter = sifter

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: the arguments are of the wrong kind.
        """
        values = {"limit": _ROWS, **asked.arguments("organization", "after", "limit")}
        organization, after, limit = values.get("organization"), values.get("after"), values["limit"]
        if any(text is not None and not isinstance(text, str) for text in (organization, after)):
            raise RequestRefused(
                uri.INVALID_ARGUMENT, "organization and after are organizations' ids, as text, or null"
            )
        if type(limit) is not int or not 1 <= limit <= MAX_ROWS:
            raise RequestRefused(uri.INVALID_ARGUMENT, f"limit is a number from 1 to {MAX_ROWS}")
        live: list[tuple[str, int]] = []

        def look(subscription: Subscription) -> bool:
            if (delivered := self._usage.live(subscription)) is not None:
                live.append(delivered)
            return False

        def answer(_none: list[Subscription]) -> None:
            rows = self._usage.rows(live, organization)
            asked.result(since=instant(self._usage.since), **_page(rows, after or "", limit))

        self._sifter.sift(asked, self._realm.broker.subscriptions, look, answer)


def _page(rows: list[dict[str, Any]], after: str, limit: int) -> dict[str, Any]:
    left = [row for row in rows if row["organization"] > after]
    shown = left[:limit]
    return {"organizations": shown, "next": shown[-1]["organization"] if len(left) > limit else None}
