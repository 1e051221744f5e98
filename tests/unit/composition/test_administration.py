"""The accounts of a realm last as long as the realm: one that comes back under its name begins anew."""

from __future__ import annotations

from typing import Any

from unit.observation.test_usage_accounts import Place

from wampgate.composition.administration import Administration
from wampgate.config.log import Log as LogSection
from wampgate.journal import Journal
from wampgate.observation.log_levels import Levels
from wampgate.observation.logs import Log
from wampgate.observation.records import Records
from wampgate.procedures.usage import NAME


class Offered:
    """The procedures of a realm, by name."""

    def __init__(self) -> None:
        self.procedures: dict[str, Any] = {}

    def add(self, name: str, procedure: Any) -> None:
        self.procedures[name] = procedure

    def logins(self) -> dict[str, int]:
        """What the procedure would tell."""
        return {row["organization"]: row["logins"] for row in self.procedures[NAME]._usage.rows([])}


def test_a_realm_that_was_gone_has_an_account_of_its_own() -> None:
    administration = Administration(Log(LogSection()), Records(Journal(Levels())))
    first, again = Place(), Place()
    assert first.realm.name == again.realm.name
    before, offered = Offered(), Offered()
    administration.offer(before, first.realm)
    first.user("joe")
    administration.offer(offered, again.realm)
    again.user("ann")
    assert before.logins() == {"7": 1, "8": 1}
    assert offered.logins() == {"7": 1}


def test_a_reload_that_keeps_the_realm_keeps_its_account() -> None:
    administration = Administration(Log(LogSection()), Records(Journal(Levels())))
    place, offered = Place(), Offered()
    administration.offer(Offered(), place.realm)
    place.user("joe")
    administration.offer(offered, place.realm)
    assert offered.logins() == {"7": 1, "8": 1}
