"""The accounts of organizations: sessions, their time, their logins, and what was delivered on their topics."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import RealmUnderTest, Routed

from wampgate.authorization.standing import Standing
from wampgate.core.visibility import Visibility
from wampgate.observation import usage as module
from wampgate.observation.usage import OTHERS, Usage


class Place:
    """joe of 7 and 8, ann of 7, and the accounts of their realm."""

    def __init__(self) -> None:
        self.under_test = RealmUnderTest()
        self.routed = Routed(self.under_test)
        self.clock = self.routed.clock
        realm = self.under_test.realm
        standing = Standing(
            realm,
            self.routed.router,
            self.under_test.store,
            self.under_test.memberships,
            now=self.clock,
            run=self.routed.run,
        )
        realm.visibility = Visibility(standing.organizations_of)
        self.realm = realm
        self.usage = Usage(realm, self.clock, lambda: 0.0)
        self.under_test.add_user("joe", "7", "8")
        self.under_test.add_user("ann", "7")
        self.backend = self.routed.peer().join("the ticket of backend")

    def user(self, name: str) -> Any:
        return self.routed.peer().join(f"the token of {name}")

    def rows(self, *columns: str) -> dict[str, Any]:
        live = filter(None, map(self.usage.live, self.realm.broker.subscriptions()))
        return {row["organization"]: tuple(row[column] for column in columns) for row in self.usage.rows(live)}


@pytest.fixture
def place() -> Place:
    return Place()


def test_the_time_of_connections_is_added_up(place: Place) -> None:
    joe = place.user("joe")
    place.clock.now += 10
    place.user("ann")
    place.clock.now += 5
    joe.say(6, {}, "wamp.close.close_realm")
    place.clock.now += 100
    assert place.rows("connections", "connection_seconds", "logins") == {"7": (1, 120.0, 2), "8": (0, 15.0, 1)}
    assert joe.session not in place.usage._accounts_by_session


def test_backends_guests_and_the_routers_own_count_for_nobody(place: Place) -> None:
    place.routed.peer().join()
    assert place.rows("connections") == {}


def test_who_joins_or_leaves_an_organization_meanwhile_is_counted_from_then_on(place: Place) -> None:
    place.user("ann")
    place.user("ann")
    place.clock.now += 10
    place.under_test.memory.add_membership("ann", "9")
    place.under_test.memory.remove_membership("ann", "7")
    place.clock.now += 3
    assert place.rows("connections", "connection_seconds", "logins") == {"7": (0, 20.0, 2), "9": (2, 6.0, 0)}


@pytest.mark.parametrize(
    ("topic", "match", "published", "whose"),
    [
        ("organization.7", "exact", "organization.7", "7"),
        ("organization.7.news", "exact", "organization.7.news", "7"),
        ("organization.7.", "prefix", "organization.7.x.y", "7"),
        ("organization.7.", "wildcard", "organization.7.x", "7"),
        ("com.example.x", "exact", "com.example.x", None),
        ("organization.", "prefix", "organization.7", None),
        ("organization.", "wildcard", "organization.7", None),
        ("organization.7", "prefix", "organization.70", None),
        ("organizations.7", "exact", "organizations.7", None),
    ],
)
def test_whose_topic_is_whose(place: Place, topic: str, match: Any, published: str, whose: str | None) -> None:
    listener = place.routed.peer().join("the ticket of backend")
    listener.ask(32, {"match": match}, topic)
    place.backend.ask(16, {"acknowledge": True}, published, ["x"])
    assert place.rows("deliveries") == ({} if whose is None else {whose: (1,)})
    listener.say(6, {}, "wamp.close.close_realm")
    # Once its subscriber has gone, what it received is kept.
    assert place.rows("deliveries") == ({} if whose is None else {whose: (1,)})


def test_organizations_beyond_the_bound_share_one_account(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ORGANIZATIONS", 1)
    place.user("ann")
    for organization in ("71", "72"):
        place.backend.ask(32, {}, f"organization.{organization}")
        place.routed.peer().join("the ticket of backend").ask(
            16, {"acknowledge": True}, f"organization.{organization}", ["x"]
        )
    assert place.rows("connections", "deliveries") == {"7": (1, 0), OTHERS: (0, 2)}
