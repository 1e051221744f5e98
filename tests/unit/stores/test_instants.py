"""Instants as SQLite's tables hold them."""

from __future__ import annotations

import pytest

from wampgate.stores.instants import seconds_since_1970, zone_of


@pytest.mark.parametrize(
    ("value", "zone", "seconds"),
    [
        (None, "UTC", None),
        (0, "UTC", 0.0),
        (12.5, "UTC", 12.5),
        ("86400", "UTC", 86400.0),
        ("1970-01-02 00:00:00", "UTC", 86400.0),
        (" 1970-01-02T00:00:00.5 ", "UTC", 86400.5),
        ("1970-01-02", "UTC", 86400.0),
        ("1970-01-02T00:00:00Z", "Europe/Berlin", 86400.0),
        ("1970-01-02T02:00:00+02:00", "Europe/Berlin", 86400.0),
        ("1970-01-02 01:00:00", "Europe/Berlin", 86400.0),
        ("2024-07-01 02:00:00", "Europe/Berlin", 1719792000.0),
        ("9999-12-31 23:59:59", "America/New_York", 253402318799.0),
        ("0001-01-01 00:00:00", "UTC", -62135596800.0),
    ],
)
def test_instants(value: object, zone: str, seconds: float | None) -> None:
    assert seconds_since_1970(value, zone) == seconds


@pytest.mark.parametrize("value", ["tomorrow", "", "1970-13-01", "31.12.1970", b"1970"])
def test_what_is_no_instant(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        seconds_since_1970(value, "UTC")


@pytest.mark.parametrize("name", ["Middle/Earth", "", "../../etc/passwd", "/etc/localtime", "\x00"])
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ValueError, match=r"time zone .* is not known here"):
        zone_of(name)
