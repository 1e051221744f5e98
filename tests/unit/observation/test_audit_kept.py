"""What the audit log keeps of what the core records: who, whom, why; floods as counts; no secret."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from unit.core.routed import Clock
from unit.procedures.offered import Offered, call, subscribe

from wampgate.core.errors import RequestRefused, StoreUnavailable, uri
from wampgate.core.procedures import Procedures
from wampgate.journal import _LINES
from wampgate.observation import audit_file
from wampgate.observation.append_file import AppendFile
from wampgate.observation.audit import EVENT_BY_RECORD, RECENT, Audit
from wampgate.observation.audit_file import AuditFile
from wampgate.observation.thrift import ALIKE, OF_A_KIND, OF_ONE, Thrift
from wampgate.procedures.audited import ACTS, LOOKS, audited, told_arguments

if TYPE_CHECKING:
    from pathlib import Path

    from wampgate.core.session import Session


class Place:
    """A router with an audit log, and a backend that may do all."""

    def __init__(self) -> None:
        self.offered = Offered()
        self.clock = self.offered.routed.clock
        self.audit = Audit(now=self.clock, wall_clock=lambda: self.clock.now)
        realm = self.offered.under_test.realm
        realm.record = realm._revocations._record = self.offered.routed.router._record = self.audit
        self.written: list[dict[str, Any]] = []
        self.audit.write = self.written.append
        self.backend = self.offered.backend()

    def events(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.written if entry["event"] == event]

    def procedures(self) -> Procedures:
        return Procedures(self.offered.under_test.realm, self.offered.routed.run, audited)


@pytest.fixture
def place() -> Place:
    return Place()


def test_everything_that_the_log_tells_is_kept() -> None:
    assert EVENT_BY_RECORD.keys() == _LINES.keys()


def test_a_membership_that_ends_is_a_revocation_with_its_reason(place: Place) -> None:
    joe = place.offered.user("joe")
    subscribe(joe, "organization.7")
    place.offered.memory.remove_membership("joe", "7")
    (entry,) = place.events("revoked")
    assert (
        entry | {"authid": "joe", "uri": "organization.7", "because": "not a member of 7", "realm": "realm1"} == entry
    )


def test_a_token_that_ends_is_the_reason_of_the_end(place: Place) -> None:
    place.offered.user("joe")
    place.offered.memory.remove_token("the token of joe")
    (entry,) = place.events("ended")
    assert entry["reason"] == uri.TOKEN_REVOKED


def test_who_goes_by_itself_has_no_reason(place: Place) -> None:
    joe = place.offered.user("joe")
    joe.say(6, {}, "wamp.close.close_realm")
    (entry,) = place.events("ended")
    assert "reason" not in entry


def test_texts_of_clients_are_short_and_printable(place: Place) -> None:
    joe = place.offered.user("joe")
    joe.ask(32, {}, "com.other." + "\u2028x" * 1000)
    joe.ask(32, {}, "com.other." + "x" * 1000)
    kept = place.events("refused")
    assert kept
    for entry in kept:
        assert entry["uri"].isprintable()
        assert len(entry["uri"]) < 400


def refuse(place: Place, session: Session, times: int, **fields: Any) -> None:
    for _ in range(times):
        place.audit("refused", session, **{"action": "subscribe", "uri": "a.b", "match": "exact", **fields})


def test_of_what_is_alike_a_few_and_then_a_count(place: Place) -> None:
    joe = place.offered.user("joe").session
    refuse(place, joe, 1000, because="no rule allows it")
    assert len(place.events("refused")) == ALIKE
    place.audit.tell_left_out()
    assert len(place.events("refused")) == ALIKE
    place.clock.now += 10
    place.audit.tell_left_out()
    (count,) = (entry for entry in place.events("refused") if "count" in entry)
    assert count["count"] == 1000 - ALIKE
    assert (count["authid"], count["uri"], count["because"]) == ("joe", "a.b", "no rule allows it")
    # The next period begins anew.
    refuse(place, joe, 1, because="no rule allows it")
    assert "count" not in place.events("refused")[-1]


def test_of_one_session_so_many_whatever_it_asks(place: Place) -> None:
    joe = place.offered.user("joe").session
    for number in range(1000):
        refuse(place, joe, 1, uri=f"a.b{number}")
    place.audit.tell_left_out(at_once=True)
    kept = place.events("refused")
    assert len(kept) == OF_ONE + 1
    assert kept[-1]["count"] == 1000 - OF_ONE
    assert kept[-1]["authid"] == "joe"
    # They had no more in common.
    assert "uri" not in kept[-1]


def test_what_is_remembered_of_a_flood_is_small_however_long_its_texts_are(place: Place) -> None:
    joe = place.offered.user("joe").session
    for number in range(20):
        refuse(place, joe, 1, uri=f"a.{'x' * 1_000_000}{number}", because="y" * 1_000_000)
    thrift = place.audit._thrift
    assert sum(len(part) for key in (*thrift._kept, *thrift._left_out) for part in key) < 20_000


def test_of_all_addresses_together_so_many() -> None:
    clock = Clock()
    thrift = Thrift(clock)
    kept = [thrift.keep("login_refused", f"address {number}", "", float(number), dict) for number in range(5000)]
    assert len(kept) - kept.count(None) == OF_A_KIND
    clock.now += 10
    (left_out,) = thrift.ended()
    assert (left_out.key, left_out.count) == (("login_refused",), 5000 - OF_A_KIND)
    assert (left_out.since, left_out.until) == (OF_A_KIND, 4999)
    # What is remembered has a bound, however many there are.
    assert len(thrift._kept) == 0


def test_the_memory_is_bounded_and_what_happens_often_does_not_push_out_what_seldom_does(place: Place) -> None:
    joe = place.offered.user("joe").session
    place.audit("killed", joe, by="someone", reason="why")
    for number in range(3 * RECENT):
        place.clock.now += 10
        place.audit.tell_left_out()
        place.audit("joined", joe)
        place.audit("left", joe, reason=f"r{number}")
    recent = place.audit.recent("realm1", RECENT)
    assert len(recent) == RECENT
    assert place.audit.recent("realm1", 10, event="killed")[0]["by"] == "someone"
    assert recent[0]["reason"] == f"r{3 * RECENT - 1}"


def test_other_realms_are_nobodys_business_here(place: Place) -> None:
    place.audit.note("reload", changed=["log"])
    assert [entry["event"] for entry in place.audit.recent("realm2", 100)] == ["reload"]


# --- administrative calls ---


def test_a_call_is_recorded_with_names_and_its_outcome(place: Place) -> None:
    place.offered.user("joe")
    place.procedures().add("wampgate.log.set_level", lambda asked: asked.result(asked.arguments("part", "level")))
    call(place.backend, "wampgate.log.set_level", "stores", "debug")
    (entry,) = place.events("call")
    assert (entry["authid"], entry["arguments"], entry["outcome"]) == (
        "backend",
        "part='stores', level='debug'",
        "done",
    )


def test_a_coroutine_that_refuses_is_recorded_with_its_error(place: Place) -> None:
    async def refuse(_asked: Any) -> None:
        raise RequestRefused("wampgate.error.invalid_configuration", "no")

    async def fail(_asked: Any) -> None:
        raise StoreUnavailable("gone")

    def later(asked: Any) -> None:
        asked.later(refuse(asked))

    procedures = place.procedures()
    for name, procedure in (
        ("wampgate.configuration.reload", refuse),
        ("wampgate.log.set_level", later),
        ("wampgate.authorization.forget", fail),
    ):
        procedures.add(name, procedure)
        place.backend.ask(48, {}, name)
    assert [entry["outcome"] for entry in place.events("call")] == [
        "wampgate.error.invalid_configuration",
        "wampgate.error.invalid_configuration",
        "wamp.error.authorization_failed",
    ]


def test_what_is_no_administration_is_left_alone(place: Place) -> None:
    def procedure(_asked: Any) -> None:
        """Never called."""

    assert audited(place.offered.under_test.realm, "wampgate.publish", procedure) is procedure
    assert ACTS.isdisjoint(LOOKS)


def test_values_are_told_of_persons_and_things_only() -> None:
    digest = "ab" * 32
    assert told_arguments({"authid": "joe", "token": "secret", "message": "secret", "limit": None}) == (
        "authid='joe', token=…, message=…"
    )
    assert told_arguments({"token_hash": digest}) == f"token_hash={digest[:12]}…"
    # What is no hash may be the token itself.
    assert told_arguments({"token_hash": "secret"}) == "token_hash=…"
    assert told_arguments({"authid": ["a", "list"]}) == "authid=…"


# --- the file ---


class Writing:
    """An audit file of its own, and what its thread has told."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self.file = AuditFile(AppendFile(path), self.told.append)
        self.file.start()


def test_entries_are_written_in_order(tmp_path: Path) -> None:
    writing = Writing(tmp_path / "audit.log")
    for number in range(5000):
        writing.file.write({"time": 0.0, "event": "x", "session": number, "number": number})
    assert writing.file.stop() == 0
    lines = (tmp_path / "audit.log").read_text().splitlines()
    assert lines[7] == '{"time":"1970-01-01T00:00:00.000Z","event":"x","session":7}'
    assert [int(line.rpartition(":")[2][:-1]) for line in lines] == list(range(5000))
    assert writing.file.counters == {"written": 5000, "lost": 0, "failures": 0}


def test_what_fails_is_written_later_and_what_no_longer_waits_is_counted_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_file, "QUEUED", 100)
    monkeypatch.setattr(audit_file, "_AGAIN_SECONDS", 0.01)
    writing = Writing(tmp_path / "audit.log")
    full = threading.Event()
    full.set()
    write = writing.file._file.write

    def fail(data: bytes) -> None:
        if full.is_set():
            raise OSError(28, "No space left on device")
        write(data)

    writing.file._file.write = fail  # type: ignore[method-assign]  # a disk that is full for a while
    for number in range(150):
        writing.file.write({"time": 0.0, "event": "x", "session": number})
    while not writing.told:
        time.sleep(0.01)
    assert writing.file.ready is False
    full.clear()
    assert writing.file.stop() == 0
    lines = (tmp_path / "audit.log").read_text().splitlines()
    assert len(lines) == 101
    assert lines[-1] == '{"time":"1970-01-01T00:00:00.000Z","event":"lost","count":50}'
    assert writing.told == ["No space left on device", ""]
    assert writing.file.ready is True
    assert writing.file.counters["lost"] == 50
