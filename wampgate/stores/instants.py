"""Reads the instants that stand in a SQLite table, which knows no type for them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=8)
def zone_of(name: str) -> tzinfo:
    """A time zone by its name in the IANA database; UTC is known without one.

    Raises:
        ValueError: there is none of this name on this machine.
    """
    if name.upper() in ("UTC", "ETC/UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"the time zone {name!r} is not known here: expected a name such as 'Europe/Berlin';"
            " if it is one, install the system's package tzdata"
        ) from None


def seconds_since_1970(value: object, zone_name: str) -> float | None:
    """An instant in seconds since 1970, UTC.

    Args:
        value: a number or its text, which is that already; or ISO 8601 text, with
            "T" or a blank between, in the zone if it names no offset; or None.
        zone_name: the zone's name.

    Raises:
        ValueError: the text is no instant.
    """
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value)
    text = str(value).strip()
    if text.isdecimal():
        return float(text)
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=zone_of(zone_name))
    return instant.timestamp()
