"""What is taken out of how a reload is applied, and of how the router ends."""

from __future__ import annotations

from typing import Final

from .mutation import Mutation, without

HALF: Final = "a reload of a configuration with faults, or of one that names what is not there"
RIGHTS: Final = "rights that a reload has taken, of who is here or is just joining"
MADE_UP: Final = "finding out who exists by what a reload changes"
ENDING: Final = "calls that are cut off by a shutdown; connections that are reset by an upgrade"

MUTATIONS: Final[tuple[Mutation, ...]] = (
    without(
        HALF,
        "stopping before the change",
        "composition/reload.py",
        "        if problems:\n            await change.undo()\n"
        "            raise ConfigurationError(self._source, problems)\n",
        "",
        "test_reload_refused.py::test_a_configuration_that_cant_be_used_changes_nothing",
    ),
    without(
        HALF,
        "closing what was opened",
        "composition/reload.py",
        "            await change.undo()\n",
        "",
        "test_reload_refused.py::test_a_configuration_that_cant_be_used_changes_nothing",
    ),
    without(
        HALF,
        "asking a new store before it is used",
        "composition/succession.py",
        "    await store.start()\n",
        "    await store.start()\n    return []\n",
        "test_reload_refused.py::test_a_configuration_that_cant_be_used_changes_nothing",
    ),
    without(
        RIGHTS,
        "looking at the principals of those who are here",
        "composition/succession.py",
        "            if session.established and session.since < self._at:\n",
        "            if False:\n",
        "test_reload_changes.py::test_a_principal_that_is_gone_is_sent_away_for_good",
        "test_reload_changes.py::test_another_ticket_ends_who_came_by_the_old_one",
    ),
    without(
        RIGHTS,
        "looking at what those hold who are here",
        "composition/succession.py",
        "            if reconsidered and session.established:\n",
        "            if False:\n",
        "test_reload_changes.py::test_a_rule_that_is_gone_takes_the_subscription_and_what_waits",
        "test_reload_changes.py::test_a_registration_that_is_no_longer_allowed_is_taken",
    ),
    without(
        RIGHTS,
        "looking at those who were joining",
        "composition/living.py",
        "            if since < at and session.established:\n",
        "            if False:\n",
        "test_reload_changes.py::test_who_is_joining_meanwhile_joins_by_what_holds_then",
    ),
    without(
        RIGHTS,
        "asking the other store for everyone",
        "composition/succession.py",
        "            self._living.standing.sweep()\n",
        "            pass\n",
        "test_reload_changes.py::test_sessions_stay_that_the_other_store_knows_as_well",
    ),
    without(
        MADE_UP,
        "one key for as long as the process lives",
        "composition/credentials.py",
        '    return sha256(b"\\0".join((_PROCESS, realm.encode(), authmethod.encode()))).digest()\n',
        "    return secrets.token_bytes(32)\n",
        "test_made_up_over_reloads.py::test_what_is_made_up_outlives_a_reload",
    ),
    without(
        ENDING,
        "waiting for calls",
        "composition/draining.py",
        "        busy = [session for session in sessions if _is_busy(session)]\n",
        "        busy: list[Session] = []\n"
        "        for session in sessions:\n            self._shut(session)\n        return busy\n",
        "test_draining.py::test_a_call_in_flight_is_finished_while_all_others_go",
    ),
    without(
        ENDING,
        "letting those in who wait",
        "composition/doors.py",
        "                await give_way(reactor, each.socket)\n                accept_all(each.socket)\n",
        "                pass\n",
        "test_handing_over.py::test_who_waits_to_be_accepted_is_let_in",
    ),
)
