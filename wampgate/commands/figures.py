"""Figures as people read them: sizes, times, rates, and what of them is alarming."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_BARS: Final = "▁▂▃▄▅▆▇█"
_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def size(number: object) -> str:
    """Bytes: ``0``, ``512 B``, ``1.5 MB``; a dash for what is no number."""
    if not isinstance(number, int | float):
        return "-"
    if not number:
        return "0"
    value, unit = float(number), _UNITS[0]
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def span(seconds: object) -> str:
    """How long: ``42 s``, ``3 min``, ``5.2 h``, ``12 d``; a dash for what is no number."""
    if not isinstance(seconds, int | float):
        return "-"
    for length, unit in _SPANS:
        if seconds >= length:
            value = seconds / length
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def age(since: object, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 time is; a dash for what is none."""
    try:
        begun = datetime.fromisoformat(str(since))
    except ValueError:
        return "-"
    if begun.tzinfo is None:
        return "-"
    return span(((now or datetime.now(UTC)) - begun).total_seconds())


def moment(time: object) -> str:
    """An ISO 8601 time by the clock of this machine, to the second; what is none as it is."""
    try:
        instant = datetime.fromisoformat(str(time)).astimezone()
    except (ValueError, OverflowError):
        return str(time)
    return f"{instant:%Y-%m-%d %H:%M:%S}"


def plot(values: Sequence[float]) -> str:
    """Figures side by side as a small plot, the greatest as the highest: ``▁▃█``."""
    greatest = max(values, default=0)
    last = len(_BARS) - 1
    return "".join(_BARS[round(value / greatest * last)] if greatest else _BARS[0] for value in values)


def rate(per_second: float) -> str:
    """Events a second: ``0``, ``0.3``, ``12``, ``4,500``."""
    if not per_second:
        return "0"
    return f"{per_second:.1f}" if per_second < 10 else f"{per_second:,.0f}"


def milliseconds(seconds: object) -> str:
    """A short time: ``0.4 ms``."""
    return f"{seconds * 1000:.1f} ms" if isinstance(seconds, int | float) else "-"


def queue_style(shown: object) -> str | None:
    """How what waits for a reader is shown: nothing dim, anything yellow, megabytes red."""
    if shown in ("0", "-"):
        return "dim"
    return "red" if str(shown).endswith(("MB", "GB", "TB")) else "yellow"


def state_style(state: Any) -> str:
    """How a router's or a bridge's state is shown."""
    return {"ready": "green", "draining": "yellow"}.get(str(state), "red")
