"""``wampgate.organizations``: one's own, page by page, also those of staff with 20,000 of them."""

from __future__ import annotations

from typing import Any

import pytest
from unit.procedures.offered import Offered, call

ORGANIZATIONS = "wampgate.organizations"


@pytest.fixture
def offered() -> Offered:
    return Offered()


def test_ones_own_and_no_others(offered: Offered) -> None:
    joe, ann = offered.user("joe"), offered.user("ann")
    assert call(joe, ORGANIZATIONS) == ([], {"organizations": ["7", "8"], "organization_count": 2})
    assert call(ann, ORGANIZATIONS) == ([], {"organizations": ["7"], "organization_count": 1})


def test_pages(offered: Offered) -> None:
    many = [f"{number:05}" for number in range(20_000)]
    offered.under_test.add_user("staff", *many)
    staff = offered.user("staff")
    welcome = staff.messages[-1][2]["authextra"]
    assert welcome["organizations"] == many[:100]
    assert welcome["organization_count"] == 20_000
    found: list[str] = []
    while page := call(staff, ORGANIZATIONS, offset=len(found), limit=1000)[1]["organizations"]:
        found += page
    assert found == many
    assert call(staff, ORGANIZATIONS, 19_999)[1]["organizations"] == many[-1:]
    assert call(staff, ORGANIZATIONS, limit=0)[1] == {"organizations": [], "organization_count": 20_000}
    assert len(call(staff, ORGANIZATIONS)[1]["organizations"]) == 100


def test_todays(offered: Offered) -> None:
    joe = offered.user("joe")
    offered.memory.remove_membership("joe", "8")
    offered.memory.add_membership("joe", "9")
    assert call(joe, ORGANIZATIONS)[1]["organizations"] == ["7", "9"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"offset": -1},
        {"limit": -1},
        {"limit": 1001},
        {"offset": "0"},
        {"limit": 1.5},
        {"offset": True},
        {"user": "ann"},
    ],
)
def test_what_is_no_page(offered: Offered, arguments: dict[str, Any]) -> None:
    assert call(offered.user("joe"), ORGANIZATIONS, **arguments) == "wamp.error.invalid_argument"


def test_whoever_is_no_user_has_none(offered: Offered) -> None:
    for peer in (offered.guest(), offered.backend()):
        assert call(peer, ORGANIZATIONS) == "wamp.error.not_authorized"


def test_a_store_that_is_down(offered: Offered) -> None:
    joe = offered.user("joe")
    offered.routed.pass_time(6)  # what was known holds no more
    offered.memory.go_down()
    assert call(joe, ORGANIZATIONS) == "wamp.error.authorization_failed"
