"""The client brings neither the router nor the other framework along, and its pieces stay small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import wampgate

PACKAGE = Path(wampgate.__file__).parent
MOST_LINES = 200


def imported_by(module: str) -> set[str]:
    program = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(found.stdout))


@pytest.mark.parametrize("module", ["wampgate.client", "wampgate.client.asyncio", "wampgate.client.twisted"])
def test_nothing_of_the_router_is_imported(module: str) -> None:
    modules = imported_by(module)
    assert module in modules
    assert {
        name for name in modules if name.startswith("wampgate.") and not name.startswith("wampgate.client")
    } == set()


def test_neither_framework_brings_the_other() -> None:
    for module in ("wampgate.client", "wampgate.client.asyncio"):
        assert not any(name.split(".")[0] == "twisted" for name in imported_by(module))
    assert "autobahn.asyncio.websocket" not in imported_by("wampgate.client.twisted")
    assert not {"twisted", "asyncio"} & imported_by("wampgate.client.plan")


@pytest.mark.parametrize(
    "path",
    [*sorted((PACKAGE / "client").glob("*.py")), *sorted((PACKAGE / "http/page").glob("live*.js"))],
    ids=lambda path: path.name,
)
def test_each_piece_is_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) < MOST_LINES
