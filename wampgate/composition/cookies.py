"""Makes a realm's way in by session cookie of its section in router.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wampgate.authentication.cookie import CookieAuthenticator, CookieKeys, RealmLogins
from wampgate.stores.cookies_memory import MemoryCookieStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.composition.stores import Store
    from wampgate.config import model
    from wampgate.core.interfaces import Authenticator
    from wampgate.core.logins import CookieStore
    from wampgate.core.realm import Realm


@dataclass(frozen=True, slots=True)
class Cookies:
    """What a realm's cookies take.

    Attributes:
        keys: derives of a cookie what is needed.
        store: where they are kept.
        most_seconds: no cookie is good for longer.
    """

    keys: CookieKeys
    store: CookieStore
    most_seconds: float

    def authenticator(self, tickets: Authenticator) -> CookieAuthenticator:
        """Who joins by one.

        Args:
            tickets: judges the token behind it.
        """
        return CookieAuthenticator(self.keys, self.store, tickets)

    def logins(self, realm: Realm, now: Callable[[], float]) -> RealmLogins:
        """What makes and ends them, over HTTP."""
        return RealmLogins(realm, self.keys, self.store, now=now, most_seconds=self.most_seconds)


def cookies_of(realm: model.Realm, store: Store | None, now: Callable[[], float]) -> Cookies | None:
    """A realm's cookies; None where it takes none.

    Args:
        realm: the section.
        store: the realm's store; None without one.
        now: the router's monotonic clock, in seconds.
    """
    section = realm.authentication.cookie
    if section is None or "cookie" not in realm.authmethods:
        return None
    kept: CookieStore
    if section.keep == "store" and store is not None:
        kept = store.cookies(realm=realm.name, per_authid=section.per_authid)
    else:
        kept = MemoryCookieStore(now, per_authid=section.per_authid)
    return Cookies(CookieKeys(realm.name), kept, section.most_seconds)


def takes_cookies(realm: model.Realm) -> bool:
    """Whether a realm takes session cookies."""
    return realm.authentication.cookie is not None
