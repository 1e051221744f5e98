"""Who takes part in the model, and what it expects each of them to be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from unit.core.model_events import ModelSubscription
    from unit.core.model_registrations import ModelRegistration


class Name:
    """A number that the router chooses: the same wherever the name stands."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.number: int | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.number}>"


class Text:
    """Any text."""


class Together(list[Any]):
    """Messages to one peer that follow from one cause: their order is the router's choice."""


class Waiting:
    """A request whose decision is not there yet, or that has to wait behind one."""

    def __init__(
        self, request: int, ask: Callable[[Callable[[str], None]], str | None], act: Callable[[str], None]
    ) -> None:
        self.request = request
        self.ask = ask
        self.act = act
        self.decision: str | None = None
        self.at_once = False
        self.generation = 0


class ModelPeer:
    """What the model knows of one client, or of the router's own procedures."""

    def __init__(self, number: int, opened: float, features: frozenset[str] = frozenset()) -> None:
        self.number = number
        self.opened = opened
        self.features = features
        self.state = "joining"
        self.inside = False
        self.realm = ""
        self.authid: str | Any = ""
        self.role = ""
        self.user: str | None = None
        self.expires: float | None = None
        self.ended: float | None = None
        self.session = Name("session")
        self.lanes: dict[int, list[Waiting]] = {}
        self.subscribed: list[ModelSubscription] = []
        self.registered: list[ModelRegistration] = []
        self.invocations = 0
        self.early: dict[int, list[tuple[bool, list[Any]]]] = {}
        self.streams: dict[int, str] = {}
        self.expected: list[Any] = []

    @property
    def here(self) -> bool:
        """Whether it takes part."""
        return self.state == "established"

    def told(self, message: list[Any]) -> None:
        """It is sent something, if it is still there to be sent anything."""
        if self.here:
            self.expected.append(message)

    def waits(self, request: int) -> bool:
        """Whether a request of this id waits for its decision."""
        return any(entry.request == request for lane in self.lanes.values() for entry in lane)

    def __repr__(self) -> str:
        return f"<peer {self.number} {self.role} {self.state}>"
