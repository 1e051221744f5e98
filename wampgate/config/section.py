"""What the model is made of: sections, and the checks that types alone can't express."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import msgspec

from wampgate.config.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wampgate.config.errors import KeyPath

_WRITTEN: Final = "written"


@dataclass(frozen=True, slots=True)
class Check:
    """A rule between several keys of one section.

    Attributes:
        at: the key at which a violation is reported.
        keys: the keys whose values ``found`` is called with; if one of them is
            faulty itself, the check is left out.
        expected: what has to hold; names the other keys.
        found: what was found instead, without a secret; None if all is well.
    """

    at: str
    keys: tuple[str, ...]
    expected: str
    found: Callable[..., str | None]


@dataclass(frozen=True, slots=True)
class Unique:
    """No two sections of a list agree in these keys.

    Attributes:
        keys: the keys that are compared together; the first one is where a
            violation is reported.
        each: a further key, holding a list, of which no element may recur
            beside the same values of ``keys``.
    """

    keys: tuple[str, ...]
    each: str | None = None

    def identities(self, section: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
        """What identifies a section; nothing if one of the keys is faulty."""
        if any(key not in section for key in self.keys):
            return
        identity = tuple(section[key] for key in self.keys)
        if self.each is None:
            yield identity
        else:
            yield from ((*identity, element) for element in section.get(self.each, ()))


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """An object of router.json: immutable, unknown keys refused, shown without secrets.

    A text that came from the environment or from another file is shown as it was
    written, ``${NAME}``. That is kept beside the fields, not in them: everyone
    else gets plain texts.
    """

    checks: ClassVar[tuple[Check, ...]] = ()

    def __repr__(self) -> str:
        inner = ", ".join(f"{key}={value!r}" for key, value in redacted(self).items())
        return f"{type(self).__name__}({inner})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(redacted(self).items())


AnySection = TypeVar("AnySection", bound=Section)


def remember(section: Section, written: Mapping[KeyPath, str]) -> None:
    """Note how texts of a section were written before references in them were followed.

    Args:
        section: the section that holds the texts.
        written: by the key (and index) within the section.
    """
    section.__dict__[_WRITTEN] = dict(written)


def changed(section: AnySection, **changes: Any) -> AnySection:
    """A copy with some values changed, that hides what the original hides."""
    copy = msgspec.structs.replace(section, **changes)
    written: Mapping[KeyPath, str] = section.__dict__.get(_WRITTEN, {})
    remember(copy, {path: text for path, text in written.items() if path[0] not in changes})
    return copy


def redacted(section: Section) -> dict[str, Any]:
    """A section as plain dictionaries, lists, texts and numbers that may be printed.

    Secrets are replaced by "(hidden)" or by the reference that they came from;
    other texts from outside by what the file says.
    """
    written: Mapping[KeyPath, str] = section.__dict__.get(_WRITTEN, {})
    config = section.__struct_config__
    shown: dict[str, Any] = {} if config.tag_field is None else {config.tag_field: config.tag}
    for name in section.__struct_fields__:
        shown[name] = _shown(getattr(section, name), (name,), written)
    return shown


def _shown(value: object, at: KeyPath, written: Mapping[KeyPath, str]) -> object:
    if isinstance(value, Section):
        return redacted(value)
    if isinstance(value, tuple):
        return [_shown(element, (*at, index), written) for index, element in enumerate(value)]
    if isinstance(value, Secret):
        return value.written
    if isinstance(value, Path):
        return written.get(at, str(value))
    return written.get(at, value)
