"""What organizations use, as a real router counts it: by RPC, as CSV, with the same right to see it either way."""

from __future__ import annotations

import csv
import io
import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import pytest
from conftest import principal, rule, static_configuration, ticket_of
from integration.admin.operators import ENDPOINT, admin_port, fetch
from integration.revocation.rights import SqliteRows, token_of
from raw_wamp import Peer, WampError
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USAGE = "wampgate.usage.organizations"


class Town:
    """joe belongs to 7 and 8, ann to 7; olga is an operator."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self.rows = SqliteRows(str(folder))
        for user, organizations in {"joe": ("7", "8"), "ann": ("7",)}.items():
            self.rows.add_token(token_of(user), user)
            for organization in organizations:
                self.rows.add_member(organization, user)

    def __enter__(self) -> Self:
        realm = {
            "name": "realm1",
            "store": self.rows.configuration(),
            "authentication": {
                "ticket": {},
                "principals": [principal("backend", "backend"), principal("olga", "operator")],
            },
            "authorization": {
                "rules": [
                    rule("backend", ["publish", "subscribe"], "organization.", "prefix"),
                    rule("operator", ["call"], "wampgate.", "prefix"),
                ],
                "sweep_seconds": 5,
            },
        }
        configuration = static_configuration(realms=[realm], admin={"endpoint": ENDPOINT})
        self.router = self._stack.enter_context(RouterProcess(configuration))
        self.olga = self.peer(ticket_of("olga"))
        self.backend = self.peer(ticket_of("backend"))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def peer(self, token: str) -> Peer:
        return self._stack.enter_context(Peer(self.router.port)).join(token)

    def usage(self, **arguments: Any) -> dict[str, dict[str, Any]]:
        result = self.olga.result(self.olga.start_call(USAGE, [], arguments))
        return {row["organization"]: row for row in result[4]["organizations"]}

    def csv(self, token: str | None = ticket_of("olga"), query: str = "") -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = fetch(admin_port(self.router), f"/usage.csv{query}", **headers)
        if answer.status != 200:
            return answer.status, json.loads(answer.body)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return 200, list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with Town(tmp_path) as made:
        yield made


def test_connections_logins_and_deliveries_are_those_that_there_were(town: Town) -> None:
    joe, ann, other = town.peer(token_of("joe")), town.peer(token_of("ann")), town.peer(token_of("joe"))
    for peer in (joe, ann):
        peer.subscribe("organization.7")
    joe.subscribe("organization.8.", match="prefix")
    ann.subscribe("organization.7.news")
    for topic, count in (("organization.7", 10), ("organization.8.x", 3), ("organization.7.news", 1)):
        for _ in range(count):
            town.backend.publish(topic, ["x"])
    # Nobody's: all organizations' topics at once.
    town.backend.subscribe("organization.", match="prefix")
    for _ in range(5):
        town.backend.publish("organization.7", ["x"])
    usage = town.usage()
    assert {name: (row["connections"], row["logins"], row["deliveries"]) for name, row in usage.items()} == {
        "7": (3, 3, 31),
        "8": (2, 2, 3),
    }
    ann.close()
    other.leave()
    deadline = time.monotonic() + 5
    while (usage := town.usage())["7"]["connections"] > 1:
        assert time.monotonic() < deadline
    # What ended subscriptions have received is not forgotten.
    assert (usage["7"]["deliveries"], usage["8"]["connections"]) == (31, 1)
    before = usage["8"]["connection_seconds"]
    time.sleep(1)
    after = town.usage(organization="8")
    assert list(after) == ["8"]
    assert 1 <= after["8"]["connection_seconds"] - before < 3
    assert town.usage(organization="9") == {}


def test_who_becomes_a_member_or_is_none_any_more_is_counted_so(town: Town) -> None:
    town.peer(token_of("ann"))
    assert set(town.usage()) == {"7"}
    town.rows.add_member("9", "ann")
    town.rows.drop_member("7", "ann")
    deadline = time.monotonic() + 20
    while True:
        usage = town.usage()
        if usage["7"]["connections"] == 0:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert usage["9"]["connections"] == 1
    # It was no login.
    assert usage["9"]["logins"] == 0


def test_pages(town: Town) -> None:
    town.peer(token_of("joe"))
    result = town.olga.result(town.olga.start_call(USAGE, [], {"limit": 1}))[4]
    assert ([row["organization"] for row in result["organizations"]], result["next"]) == (["7"], "7")
    result = town.olga.result(town.olga.start_call(USAGE, [], {"limit": 1, "after": "7"}))[4]
    assert ([row["organization"] for row in result["organizations"]], result["next"]) == (["8"], None)
    for wrong in ({"limit": 0}, {"limit": "1"}, {"after": 7}, {"organization": 7}):
        with pytest.raises(WampError) as error:
            town.olga.result(town.olga.start_call(USAGE, [], wrong))
        assert error.value.uri == "wamp.error.invalid_argument"


def test_the_csv_says_the_same_to_those_who_may_call(town: Town) -> None:
    town.peer(token_of("joe"))
    status, rows = town.csv()
    assert status == 200
    assert [list(row) for row in rows] == [
        ["since", "organization", "connections", "connection_seconds", "logins", "deliveries"]
    ] * 2
    assert [(row["organization"], row["connections"], row["logins"]) for row in rows] == [
        ("7", "1", "1"),
        ("8", "1", "1"),
    ]
    assert town.csv(query="?realm=realm1")[0] == 200
    for token, expected in (
        (None, (401, "wamp.error.authentication_required")),
        ("wrong", (401, "wamp.error.authentication_denied")),
        (token_of("joe"), (403, "wamp.error.not_authorized")),
        (ticket_of("backend"), (403, "wamp.error.not_authorized")),
    ):
        status, problem = town.csv(token)
        assert (status, problem["error"]) == expected
    assert town.csv(query="?realm=elsewhere")[0] == 404
    port = admin_port(town.router)
    assert fetch(port, "/usage.csv", "POST").status == 405
    assert fetch(port, "/usage.csv/x", Authorization=f"Bearer {ticket_of('olga')}").status == 404
    # Nothing of it on the public listener.
    assert fetch(town.router.port, "/usage.csv", Authorization=f"Bearer {ticket_of('olga')}").status == 404


def test_those_without_the_right_are_refused(town: Town) -> None:
    joe = town.peer(token_of("joe"))
    for procedure in (USAGE, "wampgate.audit.recent", "wampgate.log.levels", "wampgate.log.set_level"):
        with pytest.raises(WampError) as error:
            joe.call(procedure)
        assert error.value.uri == "wamp.error.not_authorized"
