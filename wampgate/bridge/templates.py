"""Channel, room and topic templates: ``channel.{organization}`` matched against texts and filled in.

A variable takes exactly one URI component: ``{organization}`` what
:func:`wampgate.core.uri.is_organization_id` accepts, any other name any legal
component ("Relaxed/Loose URIs"). It ends at the character that follows it in
the template, so there is one way to match at most and matching takes one pass
over the text, however hostile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from wampgate.core.uri import is_reserved, is_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.wire.messages import Match

EVENT: Final = "event"
"""The variable that stands for an event's name, where a rule puts it into the topic."""

MAX_TEXT: Final = 1024
"""The longest channel or room that is looked at, in characters."""

Variables = Mapping[str, str]
"""What each variable of a template stood for in a text."""

_TOKEN: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}|([{}])")
_ORGANIZATION_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
# The glob characters of Redis's patterns; a backslash takes their meaning away.
_GLOB: Final = re.compile(r"([\\*?\[\]])")


class InvalidRule(ValueError):
    """A rule can't be used as it is written. Its text names the template and says what to write instead."""


class TopicPattern(NamedTuple):
    """Topics that a rule may publish to: one URI, or all below a prefix."""

    uri: str
    match: Match


class Source(Protocol):
    """What a topic's variables get their values from: a channel's, a room's or a stream field's texts."""

    @property
    def text(self) -> str:
        """How it was written."""

    @property
    def names(self) -> Sequence[str]:
        """Its variables."""

    def match(self, text: str) -> Variables | None:
        """What the variables stand for in a text; None if the text isn't one of these."""

    def fill(self, variables: Variables) -> str:
        """The text with these values."""

    def glob(self) -> str:
        """A Redis pattern that matches every such text (and others besides)."""


class _Variable(str):
    """A template's part that is a variable's name; the other parts are fixed text."""

    __slots__ = ()


class Template:
    """A text with variables, as ``organization.{organization}``.

    Attributes:
        text: the template as it was written.
        names: its variables, from left to right.

    Raises:
        InvalidRule: the text is no template.
    """

    __slots__ = ("_match", "_parts", "names", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = _split(text)
        self.names = tuple(str(part) for part in self._parts if isinstance(part, _Variable))
        _refuse_ambiguous(text, self._parts)
        self._match = re.compile(_expression(self._parts)).fullmatch

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def match(self, text: str) -> Variables | None:
        """What the variables stand for in a text; None if the text isn't one of this template's."""
        if len(text) > MAX_TEXT:
            return None
        found = self._match(text)
        return None if found is None else found.groupdict()

    def fill(self, variables: Variables) -> str:
        """The text with its variables replaced; ``variables`` holds all of :attr:`names`."""
        return "".join(variables[part] if isinstance(part, _Variable) else part for part in self._parts)

    def prefix(self) -> str:
        """The fixed text before the first variable; the whole text if there is none."""
        first = self._parts[0] if self._parts else ""
        return "" if isinstance(first, _Variable) else first

    def glob(self) -> str:
        """A Redis pattern that matches every text of this template (and others besides)."""
        return "".join("*" if isinstance(part, _Variable) else escape_glob(part) for part in self._parts)


class TopicTemplate:
    """Where a rule publishes: a URI, each of whose components is fixed or one variable.

    Args:
        text: the template.
        source: where its variables get their values: a channel's or room's template;
            None if there is no such place.
        event: whether the variable ``{event}`` stands in it for the event's name.

    Raises:
        InvalidRule: the text is no such template, begins with a variable, lies in
            reserved space, has a variable that ``source`` lacks, or lacks ``{event}``.
    """

    __slots__ = ("_event", "_prefix", "_source", "_template")

    def __init__(self, text: str, source: Source | None, *, event: bool = False) -> None:
        template = Template(text)
        self._template = template
        self._source = source
        self._event = event
        self._prefix = template.prefix()
        names = () if source is None else source.names
        if event and (EVENT not in template.names or EVENT in names):
            raise InvalidRule(
                f"topic {text!r}: the event's name goes into the topic, so {{event}} stands there and nowhere else"
            )
        for name in template.names:
            if name not in names and not (event and name == EVENT):
                raise InvalidRule(
                    f"topic {text!r}: {{{name}}} gets its value from nowhere: it does not stand in "
                    + ("anything" if source is None else repr(source.text))
                )
        _refuse_topic(text)

    def pattern(self) -> TopicPattern:
        """What this template can become: ``("organization.", "wildcard")`` or one exact URI."""
        empty = dict.fromkeys(self._template.names, "")
        return TopicPattern(self._template.fill(empty), "wildcard" if empty else "exact")

    def topic(self, variables: Variables) -> str | None:
        """The URI with its variables replaced; None if the result is no URI below the fixed prefix."""
        topic = self._template.fill(variables)
        return topic if topic.startswith(self._prefix) and is_uri(topic) else None

    def family(self, variables: Variables) -> TopicPattern | None:
        """The topics of all events for these values: one URI, or a pattern where ``{event}`` may be anything."""
        if not self._event:
            topic = self.topic(variables)
            return None if topic is None else TopicPattern(topic, "exact")
        if self.topic({**variables, EVENT: "x"}) is None:
            return None
        pattern = self._template.fill({**variables, EVENT: ""})
        return TopicPattern(pattern, "prefix" if pattern.endswith(".") else "wildcard")

    def makes(self, topic: str) -> bool:
        """Whether a topic is one that this template can become."""
        return self._template.match(topic) is not None

    @property
    def invertible(self) -> bool:
        """Whether each topic is led to by one text of the source at most."""
        return self._source is not None and set(self._source.names) <= set(self._template.names)

    def source_of(self, topic: str) -> str | None:
        """The source's text that leads to a topic, if this is :attr:`invertible`; None if no text does."""
        variables = self._template.match(topic)
        source = self._source
        if variables is None or source is None:
            return None
        text = source.fill(variables)
        own = {name: variables[name] for name in source.names}
        return text if source.match(text) == own else None


def escape_glob(text: str) -> str:
    """A text as a Redis pattern that matches this text alone."""
    return _GLOB.sub(r"\\\1", text)


def _split(text: str) -> tuple[str, ...]:
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        if token[2]:
            raise InvalidRule(
                f"template {text!r}: a brace stands alone; variables are written as {{organization}}, in lower case"
            )
        if token.start() > end:
            parts.append(text[end : token.start()])
        parts.append(_Variable(token[1]))
        end = token.end()
    if end < len(text):
        parts.append(text[end:])
    return tuple(parts)


def _refuse_ambiguous(text: str, parts: tuple[str, ...]) -> None:
    if not text:
        raise InvalidRule("a template is empty; write a channel, room or topic as channel.{organization}")
    names = [part for part in parts if isinstance(part, _Variable)]
    if len(names) != len(set(names)):
        raise InvalidRule(f"template {text!r}: a variable stands in it twice; give each place a name of its own")
    for part, following in pairwise(parts):
        if not isinstance(part, _Variable):
            continue
        if isinstance(following, _Variable):
            raise InvalidRule(f"template {text!r}: put a character between {{{part}}} and {{{following}}}")
        if part == "organization" and following[0] in _ORGANIZATION_CHARACTERS:
            raise InvalidRule(
                f"template {text!r}: an organization id may hold {following[0]!r} itself, so nothing shows where it "
                "ends; let another character follow {organization}, as '.' or ':'"
            )


def _refuse_topic(text: str) -> None:
    if text.startswith("{"):
        raise InvalidRule(f"topic {text!r}: begin with a fixed component, or the rule could publish anywhere")
    if is_reserved(text, "exact"):
        raise InvalidRule(f"topic {text!r}: URIs below 'wamp.' and 'wampgate.' are the router's own; choose another")
    for component in text.split("."):
        if "{" in component and not _TOKEN.fullmatch(component):
            raise InvalidRule(f"topic {text!r}: a variable stands for a whole component, between dots")
    if not is_uri(_TOKEN.sub("x", text)):
        raise InvalidRule(f"topic {text!r}: not a URI; components are parted by single dots and hold no space or '#'")


def _expression(parts: tuple[str, ...]) -> str:
    expression = []
    for part, following in zip(parts, (*parts[1:], ""), strict=True):
        if not isinstance(part, _Variable):
            expression.append(re.escape(part))
        elif part == "organization":
            expression.append(r"(?P<organization>[A-Za-z0-9_-]{1,64}+)")
        else:
            ending = re.escape(following[0]) if following else ""
            expression.append(rf"(?P<{part}>[^\s.#\x00-\x1f\x7f-\x9f\ud800-\udfff{ending}]++)")
    return "".join(expression)
