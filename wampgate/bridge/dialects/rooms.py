"""Rooms to topics, in every dialect: where events go, who is left out, whose sessions a disconnect ends."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wampgate.bridge.dialects.event_shape import EventShape, escaped
from wampgate.bridge.rules import BridgedEvent, BridgedKill, Dropped, Undecodable
from wampgate.bridge.templates import EVENT, TopicTemplate
from wampgate.wire.messages import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import Source, TopicPattern, Variables

MAX_ROOMS: Final = 1_000
"""How many rooms a message may name, and how many exclusions."""

_SESSION_ID: Final = re.compile(r"[1-9][0-9]{0,15}", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """What a rule may say beside its room and its topic.

    Attributes:
        event: how an event with a name looks to its subscribers.
        broadcast_topic: where an emit without a room goes; None for nowhere.
        disconnects: whether a disconnect ends sessions.
    """

    event: EventShape = field(default_factory=EventShape)
    broadcast_topic: str | None = None
    disconnects: bool = False


@dataclass(frozen=True, slots=True)
class _Excluded:
    """Whom an emit leaves out: sessions by id, who is in a room, and how many that mean nothing here."""

    sessions: tuple[int, ...]
    rooms: tuple[Variables, ...]
    unknown: int


_NOBODY: Final = _Excluded((), (), 0)


class Rooms:
    """The rooms of one rule and their topics.

    Args:
        room: a template for the room, as ``organization.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
        options: what else the rule says.

    Raises:
        InvalidRule: a template is wrong; the text says what to write.
    """

    def __init__(self, room: Source, topic: str, options: RoomOptions) -> None:
        in_topic = options.event.name == "topic"
        self._room = room
        self._shape = options.event
        self._topic = TopicTemplate(topic, room, event=in_topic)
        self._broadcast = (
            None if options.broadcast_topic is None else TopicTemplate(options.broadcast_topic, None, event=in_topic)
        )
        self._disconnects = options.disconnects

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        own = self._topic.pattern()
        return (own,) if self._broadcast is None else tuple(dict.fromkeys((own, self._broadcast.pattern())))

    def publishes(self, topic: str) -> bool:
        """Whether an event can go to a topic."""
        return self._topic.makes(topic) or (self._broadcast is not None and self._broadcast.makes(topic))

    @property
    def invertible(self) -> bool:
        """Whether :meth:`room_of` knows all rooms that lead to a topic."""
        return self._topic.invertible

    def room_of(self, topic: str) -> str | None:
        """The room that leads to a topic; None if none does."""
        return self._topic.source_of(topic)

    def events(
        self, rooms: Sequence[object], name: str, values: Sequence[Any], excluded: Sequence[object] = ()
    ) -> Iterator[Outcome]:
        """One event on each room's topic.

        Args:
            rooms: texts or numbers; anything else is counted.
            name: the event's.
            values: what is emitted with it.
            excluded: WAMP session ids, or rooms whose topics' subscribers don't receive it.
        """
        out = self._excluded(excluded) if excluded else _NOBODY
        if out.unknown:
            yield Dropped("except_ignored", "an exclusion is neither a WAMP session id nor a room of the rule")
        component = {EVENT: escaped(name)} if self._shape.name == "topic" else None
        there = [self._filled(room, component) for room in out.rooms]
        elsewhere = tuple(topic for topic in there if topic is not None)
        args, kwargs = self._shape.payload(name, values)
        for outcome in self._targets(rooms, component):
            if isinstance(outcome, Dropped):
                yield outcome
            elif outcome in elsewhere:
                yield Dropped("all_excluded", "the emit excludes the very room that it is for")
            else:
                yield BridgedEvent(outcome, args, kwargs, out.sessions, elsewhere)

    def kills(self, rooms: Sequence[object], excluded: Sequence[object] = ()) -> Iterator[Outcome]:
        """What a disconnect of rooms, users or sessions comes to: nothing, unless the rule says ``disconnects``."""
        if not self._disconnects:
            yield Dropped("disconnect_ignored", "a disconnect, and the rule does not say disconnects: true")
        elif excluded:
            yield Dropped("disconnect_ignored", "a disconnect with exclusions, which is not done by halves")
        elif not rooms:
            yield Dropped("disconnect_ignored", "a disconnect of everyone: name rooms, users or sessions")
        else:
            for room in rooms:
                yield from self._kill(room)

    def _kill(self, room: object) -> Iterator[Outcome]:
        session = session_id(room)
        if session is not None:
            yield BridgedKill(session=session)
        variables = self._variables(room)
        if variables is not None and "user" in variables:
            yield BridgedKill(user=variables["user"])
        elif variables is not None and (family := self._topic.family(variables)) is not None:
            yield BridgedKill(subscribers=family)
        elif session is None:
            yield Dropped("disconnect_ignored", "what is to be disconnected is no room, user or session here")

    def _targets(self, rooms: Sequence[object], component: Variables | None) -> Sequence[str | Dropped]:
        """The topics, each once: several rooms may lead to one."""
        if not rooms:
            return [self._everyone(component or {})]
        if len(rooms) == 1:
            return [self._target(rooms[0], component)]
        targets = [self._target(room, component) for room in rooms]
        seen: set[str] = set()
        return [
            target
            for target in targets
            if isinstance(target, Dropped) or (target not in seen and not seen.add(target))  # type: ignore[func-returns-value]  # set.add's None is the point
        ]

    def _everyone(self, component: Variables) -> str | Dropped:
        if self._broadcast is None:
            return Dropped("no_room", "the emit names no room, and the rule no broadcast_topic; it goes nowhere")
        return self._broadcast.topic(component) or Dropped("not_a_topic", "the event's name leads to no URI")

    def _target(self, room: object, component: Variables | None) -> str | Dropped:
        variables = self._variables(room)
        if variables is None:
            return Dropped("room_mismatch", "the room is not one of the rule's")
        return self._filled(variables, component) or Dropped("not_a_topic", "the room leads to no URI")

    def _filled(self, variables: Variables, component: Variables | None) -> str | None:
        return self._topic.topic(variables if component is None else {**variables, **component})

    def _variables(self, room: object) -> Variables | None:
        # Rooms may be numbers; True is none of them. A number of any length may be huge to write.
        if type(room) is str or (type(room) is int and -MAX_ID <= room <= MAX_ID):
            return self._room.match(str(room))
        return None

    def _excluded(self, values: Sequence[object]) -> _Excluded:
        sessions: list[int] = []
        rooms: list[Variables] = []
        unknown = 0
        for value in values:
            session, room = session_id(value), self._variables(value)
            if session is not None:
                sessions.append(session)
            if room is not None:
                rooms.append(room)
            unknown += session is None and room is None
        return _Excluded(tuple(sessions), tuple(rooms), unknown)


def session_id(value: object) -> int | None:
    """A WAMP session id, as a number or in decimal digits; None if the value is none."""
    if type(value) is str and _SESSION_ID(value):
        value = int(value)
    return value if type(value) is int and 1 <= value <= MAX_ID else None


def listed(value: object, what: str) -> list[object]:
    """Rooms or exclusions as a list: PHP makes a map of an array with gaps, and an emitter may leave them out.

    Raises:
        Undecodable: the value is no list, or has more than 1,000 elements.
    """
    if isinstance(value, dict):
        value = list(value.values())
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_ROOMS:
        raise Undecodable("undecodable", f"the {what} are no array of at most {MAX_ROOMS}")
    return value
