"""How an event is shown: a line for people, a line of JSON for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wampgate.commands.arguments import payload_shown
from wampgate.config.errors import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.client.place import Event
    from wampgate.commands.output import Output


@dataclass(frozen=True, slots=True)
class Shown:
    """An event to be shown.

    Attributes:
        time: when it was published where the history says so, else when it came.
        topic: where it was published.
        publication: its id.
        args, kwargs: its payload.
        publisher_authid: who published it, if disclosed.
        recovered: whether it comes out of the history.
    """

    time: datetime
    topic: str
    publication: int
    args: list[Any]
    kwargs: dict[str, Any]
    publisher_authid: str | None = None
    recovered: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """For programs; `wampgate publish --events` takes it."""
        return {
            "time": self.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "topic": self.topic,
            "publication": self.publication,
            "args": self.args,
            "kwargs": self.kwargs,
            **({} if self.publisher_authid is None else {"publisher_authid": self.publisher_authid}),
            **({"recovered": True} if self.recovered else {}),
        }

    def line(self, output: Output) -> str:
        """For people, in colours where there are any; nothing of it can move a cursor."""
        when = f"{self.time.astimezone():%H:%M:%S}"
        words = [output.styled(when, "dim"), output.styled(printable(self.topic), "cyan")]
        words.append(payload_shown(self.args, self.kwargs))
        if self.publisher_authid is not None:
            words.append(output.styled(f"from {printable(self.publisher_authid)}", "dim"))
        return " ".join(word for word in words if word)


def live(event: Event) -> Shown:
    """An event that has just come."""
    now = datetime.now(UTC)
    return Shown(
        now, event.topic, event.publication, list(event.args), event.kwargs, event.publisher_authid, event.recovered
    )


def kept(event: Mapping[str, Any], topic: str) -> Shown:
    """An event as `wampgate.history.recover` answers it."""
    authid = event.get("publisher_authid")
    return Shown(
        _time_of(event.get("timestamp")),
        str(event.get("topic") or topic),
        int(event["publication"]),
        list(event.get("args") or ()),
        dict(event.get("kwargs") or {}),
        None if authid is None else str(authid),
        recovered=True,
    )


def _time_of(timestamp: object) -> datetime:
    try:
        return datetime.fromisoformat(str(timestamp))
    except ValueError:
        return datetime.now(UTC)
