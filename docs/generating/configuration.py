"""The reference of router.json, from its model: each section with its keys, what they may be, and their defaults."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect as types

from docs.generating import examples
from docs.generating.markdown import attributes, code, prose, summary, table
from wampgate.config.model import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE: Final = "# Configuration\n"
WIDTH: Final = 100
"""Examples that are no longer stand in one line."""
BEGINNING: Final = """
Every section and key of `router.json`. A key that is left out has its default; an unknown one is refused, and
`wampgate check` names every mistake in the file at once. `${NAME}` in any text takes a value from the environment,
`${file:path}` from a file beside the configuration; what comes that way is never shown. Relative paths are meant from
the folder of `router.json`.

[router.json](../../router.json) and [further examples](../../examples/README.md) are whole files to begin with.
"""


@dataclass
class Shown:
    """A section as the page shows it: where it may stand, and how it is told from others in that place."""

    kind: types.StructType
    paths: list[str] = field(default_factory=list)


def page() -> str:
    """The page."""
    shown: dict[type, Shown] = {}
    collect(types.type_info(Configuration), "", shown)
    by_section = examples.found()
    parts = [_section(section, by_section.get(section.kind.cls)) for section in shown.values()]
    return TITLE + BEGINNING + "\n" + "\n".join(parts)


def collect(kind: types.Type, path: str, shown: dict[type, Shown]) -> None:
    """Note all sections below a type, each once, in the order of the model."""
    for section, where in _sections(kind, path):
        known = shown.get(section.cls)
        if known is not None:
            known.paths.append(where)
            continue
        shown[section.cls] = Shown(section, [where])
        # Of several kinds of sections in one place, what stands below says of which kind it is.
        told = where.removesuffix("[]") + f"[{section.tag}]" if section.tag and where.endswith("[]") else where
        for key in section.fields:
            collect(key.type, f"{told}.{key.encode_name}".removeprefix("."), shown)


def _sections(kind: types.Type, path: str) -> Iterator[tuple[types.StructType, str]]:
    """The sections that a value may be, or may be a list of."""
    match kind:
        case types.Metadata():
            yield from _sections(kind.type, path)
        case types.UnionType():
            for each in kind.types:
                yield from _sections(each, path)
        case types.VarTupleType():
            yield from _sections(kind.item_type, f"{path}[]")
        case types.StructType():
            yield kind, path


def _example(path: str, shown: object) -> str:
    """An example in its place; nothing for the file as a whole, and where there is none."""
    if not path or shown is None:
        return ""
    name = re.sub(r"\[.*?\]", "", path).rpartition(".")[2]
    listed = path.endswith("]")
    inner = json.dumps(shown, ensure_ascii=False, indent=2)
    if len(inner) <= WIDTH or not isinstance(shown, dict):
        inner = json.dumps(shown, ensure_ascii=False)
    if listed:
        inner = f"[{inner}]"
    return f'```json\n"{name}": {inner}\n```\n'


def _section(shown: Shown, example: object) -> str:
    kind = shown.kind
    lines = [f"## {_heading(shown)}\n", summary(kind.cls), ""]
    if len(shown.paths) > 1:
        lines += [f"Likewise in {', '.join(f'`{path}`' for path in shown.paths[1:])}.", ""]
    meanings = attributes(kind.cls)
    rows = [[f"`{kind.tag_field}`", f"`{kind.tag!s}`", "must be given", ""]] if kind.tag_field else []
    rows += [[f"`{key.encode_name}`", _accepted(key.type), _default(key), meanings[key.name]] for key in kind.fields]
    if rows:
        lines.append(table(("key", "what it may be", "default", "meaning"), rows))
    checks = [f"- `{check.at}`: {prose(check.expected)}" for check in getattr(kind.cls, "checks", ())]
    if checks:
        lines += ["What has to hold between keys, or it is refused:\n", *checks, ""]
    lines.append(_example(shown.paths[0], example))
    return "\n".join(lines)


def _heading(shown: Shown) -> str:
    path = shown.paths[0] or "The file as a whole"
    told = f" with `{shown.kind.tag_field}` `{shown.kind.tag}`" if shown.kind.tag_field else ""
    return (f"`{path}`" if shown.paths[0] else path) + told


def _accepted(kind: types.Type) -> str:
    """What a value may be, in the words of the error that refuses another."""
    match kind:
        case types.Metadata():
            return _described(kind)
        case types.UnionType():
            texts = [_accepted(each) for each in kind.types if not isinstance(each, types.NoneType)]
            unique = list(dict.fromkeys(texts))
            return " or ".join([*unique, "`null`"] if len(kind.types) > len(texts) else unique)
        case types.VarTupleType():
            return f"a list of: {_accepted(kind.item_type)}"
        case types.LiteralType():
            return ", ".join(code(value) for value in kind.values)
        case types.StructType():
            return "a section"
        case _:
            return _plain(kind)


def _described(kind: types.Metadata) -> str:
    text = str((kind.extra_json_schema or {}).get("description") or _accepted(kind.type))
    match kind.type:
        case types.VarTupleType(item_type=types.Metadata() as item) if "description" in (item.extra_json_schema or {}):
            return f"{text}; each {_accepted(item)}"
        case _:
            return text


_PLAIN: Final[dict[type, str]] = {
    types.BoolType: "`true` or `false`",
    types.IntType: "a whole number",
    types.FloatType: "a number",
    types.StrType: "a text",
    types.CustomType: "a text",
    types.NoneType: "`null`",
}


def _plain(kind: types.Type) -> str:
    return _PLAIN.get(type(kind), "an object")


def _default(key: types.Field) -> str:
    if key.required:
        return "must be given"
    value: Any = key.default if key.default is not msgspec.NODEFAULT else key.default_factory()
    if isinstance(value, msgspec.Struct):
        return "its defaults" if value == type(value)() else code(_told(value))
    if isinstance(value, tuple):
        return code([_told(each) for each in value])
    return code(value)


def _told(value: object) -> object:
    """A default, without what is itself a default."""
    if not isinstance(value, msgspec.Struct):
        return value
    changed = {}
    for key in msgspec.structs.fields(value):
        now = getattr(value, key.name)
        if key.default is msgspec.NODEFAULT or now != key.default:
            changed[key.encode_name] = now
    return changed
