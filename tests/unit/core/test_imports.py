"""Dependencies point inward: the core knows no framework and no adapter, and adapters don't know each other."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import wampgate

PACKAGE: Final = Path(wampgate.__file__).parent
ADAPTERS: Final = ("authentication", "authorization", "stores", "bridge", "transports", "http", "config", "history")
INNER: Final = ("wampgate.core", "wampgate.wire")
FRAMEWORKS: Final = ("twisted", "autobahn", "txaio", "asyncio", "txredisapi", "txpostgres", "psycopg2", "zope")


def modules_below(package: str) -> list[str]:
    """Every module of a package, by its files."""
    folder = PACKAGE.parent.joinpath(*package.split("."))
    return sorted(
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.rglob("*.py")
    )


def test_core_and_wire_import_no_framework_and_no_adapter() -> None:
    modules = [module for package in INNER for module in modules_below(package)]
    assert len(modules) > 20
    # In a fresh interpreter, since this one has imported everything long since.
    program = f"""
import importlib, json, sys
for module in {modules!r}:
    importlib.import_module(module)
print(json.dumps(sorted(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    imported = json.loads(found.stdout)
    assert set(modules) <= set(imported)
    foreign = [module for module in imported if module.split(".")[0] in FRAMEWORKS]
    assert foreign == []
    outer = [module for module in imported if module.startswith("wampgate.") and not module.startswith(INNER)]
    assert outer == []


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function, for types or for use."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parts = module.split(".")[: -node.level]
                origin = ".".join([*parts, origin] if origin else parts)
            found |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
    return found


def test_the_imports_of_a_file_are_seen(tmp_path: Path) -> None:
    # Guards the two tests below: they must not pass because they see nothing.
    assert "wampgate.core.errors" in imports_of(PACKAGE / "authentication" / "ticket.py")
    assert "wampgate.core.interfaces" in imports_of(PACKAGE / "authentication" / "ticket.py")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_adapters_do_not_import_each_other(adapter: str) -> None:
    files = sorted((PACKAGE / adapter).rglob("*.py"))
    assert files
    others = tuple(f"wampgate.{other}" for other in ADAPTERS if other != adapter)
    crossing = {
        f"{path.relative_to(PACKAGE)}: {module}"
        for path in files
        for module in imports_of(path)
        if module in others or module.startswith(tuple(f"{other}." for other in others))
    }
    assert crossing == set()


@pytest.mark.parametrize("package", ["core", "wire"])
def test_the_inside_names_nothing_outside_even_for_types(package: str) -> None:
    allowed = ("wampgate.wire", "wampgate.core") if package == "core" else ("wampgate.wire",)
    crossing = {
        f"{path.relative_to(PACKAGE)}: {module}"
        for path in (PACKAGE / package).rglob("*.py")
        for module in imports_of(path)
        if module.split(".")[0] == "wampgate" and not module.startswith(allowed)
    }
    assert crossing == set()


def test_only_the_composition_root_names_them_all() -> None:
    # Whoever imports two kinds of adapters composes; that is the root's and the command line's work alone.
    composing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if len({module.split(".")[1] for module in imports_of(path) if module.startswith("wampgate.")} & set(ADAPTERS))
        > 1
        and path.parent.name not in ADAPTERS
    }
    roots = {"service.py", "twistd.py"}
    assert {path for path in composing if not path.startswith(("composition/", "commands/"))} <= roots
