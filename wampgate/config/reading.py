"""From a decoded JSON document to the typed configuration, noting every fault on the way.

msgspec stops at the first error. So the document is walked beside the model:
objects and lists here, each leaf by ``msgspec.convert`` with the model's own
type. The model stays the only place that says what is accepted.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from wampgate.config.errors import KeyPath, Problem, dotted, quoted
from wampgate.config.model import Configuration
from wampgate.config.references import Followed, ReferenceFailed, References
from wampgate.config.secret import HIDDEN, Secret
from wampgate.config.section import Section, Unique, remember

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGEST_SHOWN: Final = 10**18


class JsonObject(dict[str, Any]):
    """A decoded JSON object that remembers which keys occurred twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.duplicates = [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]  # set.add's None is the point


@dataclass(frozen=True, slots=True)
class _Faulty:
    """Stands for a value that has a fault.

    Attributes:
        sound: a section's values that have none, by key, for the checks that need only those.
    """

    sound: Mapping[str, Any] = field(default_factory=dict)


def read(document: object, references: References) -> tuple[Configuration | None, list[Problem]]:
    """Build the configuration from a decoded document.

    Args:
        document: what the JSON decoder returned.
        references: where ``${…}`` leads, and which folder relative paths start from.

    Returns:
        The configuration, and no problems; or None, and all problems in the document's order.
    """
    reader = _Reader(references)
    configuration = reader.section(document, Configuration, ())
    if isinstance(configuration, Configuration) and not reader.problems:
        return configuration, []
    return None, reader.problems


class _Reader:
    def __init__(self, references: References) -> None:
        self._references = references
        self._written: dict[KeyPath, str] = {}
        self.problems: list[Problem] = []

    def value(self, value: object, hint: Any, at: KeyPath) -> object:
        """A value of any of the model's types; ``_Faulty`` if it has a fault, which is noted then."""
        plain, meta = _unwrapped(hint)
        members = _members(plain)
        if type(None) in members and value is None:
            return None
        sections = [member for member in members if isinstance(member, type) and issubclass(member, Section)]
        if sections:
            return self._tagged(value, sections, at)
        if type(None) in members:
            return self.value(value, _without_null(members), at)
        if get_origin(plain) is tuple:
            return self._list(value, get_args(plain)[0], meta, at)
        return self._leaf(value, plain, meta, at)

    def section(self, value: object, kind: type[Section], at: KeyPath) -> object:
        """A section, or ``_Faulty`` with those of its values that have no fault."""
        if not isinstance(value, dict):
            return self._fault(at, _expected(kind), _kind(value))
        before = len(self.problems)
        self._refuse_keys(value, kind, at)
        sound: dict[str, Any] = {}
        for info in fields(kind):
            read = self._field(value, info, at)
            if not isinstance(read, _Faulty):
                sound[info.name] = read
        self._check(kind, sound, at)
        if len(self.problems) > before:
            return _Faulty(sound)
        section = kind(**sound)
        remember(section, self._written_in(at))
        return section

    def _field(self, value: Mapping[str, Any], info: FieldInfo, at: KeyPath) -> object:
        place = (*at, info.encode_name)
        if info.encode_name in value:
            return self.value(value[info.encode_name], info.type, place)
        if info.required:
            return self._fault(place, _expected(info.type), "nothing")
        return info.default

    def _refuse_keys(self, value: Mapping[str, Any], kind: type[Section], at: KeyPath) -> None:
        for key in getattr(value, "duplicates", ()):
            self._fault((*at, key), "each key once", "it twice")
        known = [info.encode_name for info in fields(kind)]
        tag_field = kind.__struct_config__.tag_field
        if tag_field is not None:
            known.append(tag_field)
        for key in value:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                advice = f"did you mean {quoted(near[0])}?" if near else f"the keys here are: {', '.join(known)}"
                self.problems.append(Problem((*at, key), f"expected a known key, got one that is not; {advice}"))

    def _check(self, kind: type[Section], sound: Mapping[str, Any], at: KeyPath) -> None:
        for check in kind.checks:
            if all(key in sound for key in check.keys):
                found = check.found(*(sound[key] for key in check.keys))
                if found is not None:
                    self._fault((*at, check.at), check.expected, found)

    def _tagged(self, value: object, kinds: list[type[Section]], at: KeyPath) -> object:
        """A section whose kind its tag tells."""
        tag_field = kinds[0].__struct_config__.tag_field
        if tag_field is None:
            return self.section(value, kinds[0], at)
        if not isinstance(value, dict):
            return self._fault(at, f"an object with {quoted(tag_field)}", _kind(value))
        kind_by_tag = {kind.__struct_config__.tag: kind for kind in kinds}
        tag_type = Literal[tuple(kind_by_tag)]  # type: ignore[valid-type]  # made from the model, so unknown to mypy
        place = (*at, tag_field)
        if tag_field not in value:
            return self._fault(place, _expected(tag_type), "nothing")
        tag = self.value(value[tag_field], tag_type, place)
        return tag if isinstance(tag, _Faulty) else self.section(value, kind_by_tag[str(tag)], at)

    def _list(self, value: object, hint: Any, meta: msgspec.Meta, at: KeyPath) -> object:
        expected = meta.description or "a list"
        if not isinstance(value, list):
            return self._fault(at, expected, _kind(value))
        if len(value) < (meta.min_length or 0):
            return self._fault(at, expected, "an empty list")
        before = len(self.problems)
        elements = [self.value(element, hint, (*at, index)) for index, element in enumerate(value)]
        unique = (meta.extra or {}).get("unique")
        if unique is not None:
            self._refuse_repetition(elements, unique, at)
        return _Faulty() if len(self.problems) > before else tuple(elements)

    def _refuse_repetition(self, elements: list[object], unique: Unique, at: KeyPath) -> None:
        key = unique.keys[0]
        among = " and ".join((*unique.keys, *([unique.each] if unique.each else [])))
        first: dict[tuple[object, ...], int] = {}
        for index, element in enumerate(elements):
            for identity in unique.identities(_sound_values(element)):
                earlier = first.setdefault(identity, index)
                if earlier != index:
                    there = dotted((*at, earlier, key))
                    self._fault((*at, index, key), f"{among} that no other of the list has", f"that of {there}")

    def _leaf(self, value: object, plain: Any, meta: msgspec.Meta, at: KeyPath) -> object:
        if not isinstance(value, str):
            return self._typed(value, None, plain, meta, at)
        try:
            followed = self._references.follow(value)
        except ReferenceFailed as failure:
            self.problems.extend(Problem(at, fault) for fault in failure.faults)
            return _Faulty()
        if not _is_clean(followed.text):
            expected = meta.description or _expected(plain)
            return self._fault(at, expected, "text with a NUL or half of a surrogate pair")
        return self._typed(followed.text, followed, plain, meta, at)

    def _typed(self, value: object, source: Followed | None, plain: Any, meta: msgspec.Meta, at: KeyPath) -> object:
        """A leaf as its type, or the fault that it isn't."""
        written = None if source is None else source.written
        try:
            converted = self._converted(value, plain, meta)
        except (msgspec.ValidationError, ValueError):
            expected = meta.description or _expected(plain)
            return self._fault(at, expected, _shown(value, written, secret=plain is Secret))
        if isinstance(converted, Secret):
            return Secret(converted.reveal(), written) if written and source and source.alone else converted
        if written is not None:
            self._written[at] = written
        return converted

    def _converted(self, value: object, plain: Any, meta: msgspec.Meta) -> object:
        """A leaf as its type.

        Raises:
            msgspec.ValidationError: it has another type or is out of bounds.
            ValueError: the type's further test fails.
        """
        text_only = plain in (Secret, Path)
        checked = msgspec.convert(value, str if text_only else Annotated[plain, meta])
        if text_only and not checked:
            raise ValueError("empty")
        converted = self._references.folder / checked if plain is Path else checked
        accepts = (meta.extra or {}).get("accepts")
        if accepts is not None and not accepts(converted):
            raise ValueError("not accepted")
        return Secret(checked) if plain is Secret else converted

    def _fault(self, at: KeyPath, expected: str, got: str) -> _Faulty:
        self.problems.append(Problem(at, f"expected {expected}, got {got}"))
        return _Faulty()

    def _written_in(self, at: KeyPath) -> dict[KeyPath, str]:
        """How a section's own texts were written, by key within it."""
        return {place[len(at) :]: text for place, text in self._written.items() if place[: len(at)] == at}


def _unwrapped(hint: Any) -> tuple[Any, msgspec.Meta]:
    """A type without its annotation, and the annotation."""
    if get_origin(hint) is Annotated:
        plain, meta, *_ = get_args(hint)
        return plain, meta
    return hint, msgspec.Meta()


def _members(plain: Any) -> tuple[Any, ...]:
    """The types that a value may have."""
    return get_args(plain) if get_origin(plain) in (Union, types.UnionType) else (plain,)


def _without_null(members: tuple[Any, ...]) -> Any:
    (other,) = (member for member in members if member is not type(None))
    return other


def _expected(hint: Any) -> str:
    """How a type completes "expected …"."""
    plain, meta = _unwrapped(hint)
    if meta.description:
        return meta.description
    members = _members(plain)
    if len(members) > 1:
        return " or ".join("null" if member is type(None) else _expected(member) for member in members)
    if get_origin(plain) is Literal:
        return " or ".join(quoted(text) for text in get_args(plain))
    return {bool: "true or false", str: "text"}.get(plain, "an object")


def _kind(value: object) -> str:
    """What a value is, without saying which: it may be a secret that stands in the wrong place."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"text of {len(value)} characters" if value else "an empty text"
    if isinstance(value, (int, float)):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


def _shown(value: object, written: str | None, *, secret: bool) -> str:
    """What a leaf is, as exactly as may be shown."""
    if written is not None:
        return f"the value of {HIDDEN if secret else quoted(written)}"
    if isinstance(value, str) and value and not secret and "@" not in value:
        return quoted(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not secret and abs(value) < _LARGEST_SHOWN:
        return str(value)
    return _kind(value)


def _is_clean(text: str) -> bool:
    """Whether a text can be encoded and passed to C libraries as it is."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _sound_values(element: object) -> Mapping[str, Any]:
    if isinstance(element, _Faulty):
        return element.sound
    return {name: getattr(element, name) for name in element.__struct_fields__} if isinstance(element, Section) else {}
