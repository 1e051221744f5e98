"""Log lines of both forms: one record each, whatever they hold; and nothing is done for lines that nobody hears."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from msgspec.structs import fields
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from wampgate.config.log import Levels as LevelsSection
from wampgate.config.log import Log as LogSection
from wampgate.observation.log_forms import as_json, as_text, instant
from wampgate.observation.log_levels import DEFAULTS, LEVELS, Levels, part_of
from wampgate.observation.log_sinks import Stream
from wampgate.observation.logs import Log

NASTY = "x\r\n2026-01-01T00:00:00.000Z info  router         forged \x1b[2J\x9b\u2028\u0085\x00"
WHEN = 1_795_000_000.0421


class Place:
    """A log that is written to memory, and a logger of a namespace."""

    def __init__(self, section: LogSection | None = None, *, debug: bool = False, namespace: str = "wampgate") -> None:
        self.log = Log(section or LogSection(), debug=debug)
        self.stream = io.StringIO()
        self.log.begin(Stream(self.stream))
        self.logger = Logger(namespace=namespace, observer=self.log)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def failed(text: str) -> Failure:
    try:
        int(text)
    except ValueError:
        return Failure()
    raise AssertionError(text)


def event(**more: Any) -> dict[str, Any]:
    return {"log_time": WHEN, "log_format": "a line of {authid!r}", "authid": "joe", **more}


def test_text_is_time_level_part_realm_and_message() -> None:
    assert as_text(event(realm="realm1"), "sessions", "info", True) == (
        "2026-11-18T11:06:40.042Z info  sessions       [realm1] a line of 'joe'"
    )
    assert as_text(event(), "authentication", "error", False) == "error authentication a line of 'joe'"


def test_json_has_the_fields_in_order_and_the_message_as_text() -> None:
    line = as_json(
        event(realm="realm1", session=7, event="refused", uri="a.b", peer="p", more=1.5, none=None, thing=object()),
        "authorization",
        "info",
        False,
    )
    assert json.loads(line) == {
        "time": "2026-11-18T11:06:40.042Z",
        "level": "info",
        "part": "authorization",
        "event": "refused",
        "session": 7,
        "authid": "joe",
        "realm": "realm1",
        "peer": "p",
        "message": "a line of 'joe'",
        "uri": "a.b",
        "more": 1.5,
    }
    assert list(json.loads(line))[:3] == ["time", "level", "part"]


def test_fields_can_not_take_the_place_of_the_routers_own() -> None:
    line = json.loads(as_json(event(time="forged", level="forged", part="x", message="y"), "router", "info", True))
    assert (line["time"], line["level"], line["part"], line["message"]) == (
        "2026-11-18T11:06:40.042Z",
        "info",
        "router",
        "a line of 'joe'",
    )


@pytest.mark.parametrize("form", [as_text, as_json])
def test_nobody_writes_a_line_of_its_own(form: Any) -> None:
    made = form({"log_time": WHEN, "log_format": "{x}", "x": NASTY, "realm": NASTY}, "router", "info", True)
    lines = made.split("\n")
    assert all(line.isprintable() for line in lines)
    # What is the message's is indented where it is text, and inside of the object where it is JSON.
    assert all(line.startswith("    ") for line in lines[1:])
    assert form is as_text or len(lines) == 1


@pytest.mark.parametrize("form", [as_text, as_json])
def test_a_traceback_belongs_to_its_line(form: Any) -> None:
    made = form(event(log_failure=failed("why it failed\nand more")), "router", "critical", True)
    first, *rest = made.split("\n")
    if form is as_json:
        assert "why it failed" in json.loads(first)["traceback"]
        assert not rest
    else:
        assert any("why it failed" in line for line in rest)
        assert all(line.startswith("    ") for line in rest)


def test_what_can_not_be_formatted_is_told_all_the_same() -> None:
    made = as_json({"log_time": WHEN, "log_format": "{missing}"}, "router", "info", True)
    assert "Unable to format event" in json.loads(made)["message"]


@pytest.mark.parametrize(
    ("namespace", "part"),
    [
        ("wampgate", "router"),
        ("wampgate.service", "router"),
        ("wampgate.stepping", "router"),
        ("wampgate.stores.postgres_pool", "stores"),
        ("wampgate.stores.outbox", "bridges"),
        ("wampgate.bridge.redis_link", "bridges"),
        ("wampgate.history.redis_history", "stores"),
        ("wampgate.authentication.key_source", "authentication"),
        ("wampgate.transports.websocket", "transports"),
        ("wampgate.http.backend.web", "http"),
        ("wampgate.access", "access"),
        ("stdout", "router"),
        ("twisted.internet.tcp.Port", "twisted"),
        ("log_legacy", "twisted"),
        ("", "twisted"),
        ("wampgates", "twisted"),
    ],
)
def test_each_namespace_belongs_to_a_part(namespace: str, part: str) -> None:
    assert part_of(namespace) == part


def test_the_section_knows_each_part_with_its_default() -> None:
    defaults = {field.name: field.default for field in fields(LevelsSection)}
    assert defaults == {part: level for part, level in DEFAULTS.items() if part != "access"}


def test_a_part_is_heard_from_its_level_on() -> None:
    for at, level in enumerate(LEVELS):
        place = Place(LogSection(levels=LevelsSection(stores=level)), namespace="wampgate.stores.sql")
        for name in LEVELS:
            place.logger.emit(getattr(LogLevel, name), "one of {name}", name=name)
        assert [line.rpartition(" ")[2] for line in place.lines()] == list(LEVELS)[at:]


def test_what_is_not_heard_is_not_formatted() -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("it was formatted")

    place = Place()
    place.logger.debug("{x}", x=Costly())
    assert place.lines() == []


def test_twisteds_own_lines_are_heard_when_they_are_alarms() -> None:
    place = Place(namespace="twisted.internet.tcp.Port")
    place.logger.info("Port starting on 8080")
    place.logger.failure("Unhandled Error", failed("x"))
    assert len([line for line in place.lines() if not line.startswith("    ")]) == 1


def test_debug_hears_all_but_twisted() -> None:
    levels = Log(LogSection(), debug=True).levels.by_part()
    assert {part for part, level in levels.items() if level == "debug"} == set(DEFAULTS) - {"twisted", "access"}


def test_a_section_that_is_read_again_counts_and_what_was_set_meanwhile_does_not() -> None:
    log = Log(LogSection())
    log.levels.set("sessions", "debug")
    log.apply(LogSection(levels=LevelsSection(bridges="error"), access=True))
    levels = log.levels.by_part()
    assert (levels["sessions"], levels["bridges"], levels["access"]) == ("info", "error", "info")


def test_there_are_no_other_parts_and_levels() -> None:
    levels = Levels()
    for part, level in (("nothing", "info"), ("router", "loud")):
        with pytest.raises(KeyError):
            levels.set(part, level)
    assert levels.by_part() == dict(DEFAULTS)


def test_lines_that_could_not_be_written_are_counted_and_told() -> None:
    class Full(Stream):
        full = True

        def write(self, level: str, line: str) -> None:
            if self.full:
                raise OSError(28, "No space left on device")
            super().write(level, line)

    place = Place()
    sink = Full(place.stream)
    place.log.begin(sink)
    for _ in range(3):
        place.logger.info("lost")
    sink.full = False
    told: list[Any] = []
    from twisted.logger import globalLogPublisher

    globalLogPublisher.addObserver(told.append)
    try:
        place.logger.info("written")
    finally:
        globalLogPublisher.removeObserver(told.append)
    assert [line.rpartition(" ")[2] for line in place.lines()] == ["written"]
    assert place.log.lost == 3
    assert [one["count"] for one in told if "count" in one] == [3]


def test_times_are_utc_with_milliseconds() -> None:
    assert instant(0) == "1970-01-01T00:00:00.000Z"
    assert instant(1.9996) == "1970-01-01T00:00:01.999Z"
    assert instant(1.9999999) == "1970-01-01T00:00:02.000Z"
    assert len(instant(None)) == len("1970-01-01T00:00:00.000Z")
