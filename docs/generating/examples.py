"""An example of each section of router.json, found in files that are whole configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import inspect as types

from wampgate.config.model import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOP: Final = Path(__file__).parents[2]
OWN: Final = tuple(sorted((Path(__file__).parent / "configurations").glob("*.json")))
"""Those that are there for the sections which no other file shows."""
FILES: Final = (_TOP / "router.json", *sorted((_TOP / "examples/router").glob("*.json")), *OWN)


def found() -> dict[type, Any]:
    """The first example of each section, as it stands in its file."""
    examples: dict[type, Any] = {}
    for file in FILES:
        for section, shown in _sections(types.type_info(Configuration), json.loads(file.read_text(encoding="utf-8"))):
            if shown:
                examples.setdefault(section, shown)
    return examples


def _sections(kind: types.Type, shown: Any) -> Iterator[tuple[type, Any]]:
    """The sections that a value is made of."""
    match kind:
        case types.Metadata():
            yield from _sections(kind.type, shown)
        case types.UnionType() if shown is not None:
            yield from _sections(_meant(kind, shown), shown)
        case types.VarTupleType():
            for each in shown:
                yield from _sections(kind.item_type, each)
        case types.StructType():
            yield kind.cls, shown
            for key in kind.fields:
                if key.encode_name in shown:
                    yield from _sections(key.type, shown[key.encode_name])
        case _:
            pass


def _meant(kind: types.UnionType, shown: Any) -> types.Type:
    """Which of several kinds a value is: sections are told apart by their tag."""
    for each in kind.types:
        section = each.type if isinstance(each, types.Metadata) else each
        if isinstance(section, types.StructType) and isinstance(shown, dict):
            if section.tag_field is None or shown.get(section.tag_field) == section.tag:
                return section
        elif not isinstance(section, (types.StructType, types.NoneType)) and not isinstance(shown, dict):
            return section
    return types.NoneType()
