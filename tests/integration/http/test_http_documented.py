"""docs/http.md is true: its commands run against the demo and answer as shown, its tables are the code's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wampgate.config import load
from wampgate.http.backend.answers import STATUS_BY_ENDING, STATUS_BY_ERROR

if TYPE_CHECKING:
    from router_process import RouterProcess

TEXT = (Path(__file__).parents[3] / "docs" / "http.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
ASKED = [
    (command, json.loads(answer))
    for (kind, command), (after, answer) in pairwise(BLOCKS)
    if (kind, after) == ("sh", "json")
]


def shape(value: Any) -> Any:
    """A value with its large numbers, which are ids, made alike."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "an id" if isinstance(value, int) and value > 10_000 else value


def test_every_block_is_tried() -> None:
    assert len(ASKED) == 5
    assert len(BLOCKS) == 2 * len(ASKED) + 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl: the commands of docs/http.md did not run")
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked[0].split('"')[1].removeprefix("$URL"))
def test_commands_answer_as_shown(demo: RouterProcess, asked: tuple[str, Any]) -> None:
    command, answer = asked
    (variables,) = (block for kind, block in BLOCKS if kind == "sh" and "TOKEN=" in block)
    assert ":8080" in variables
    script = variables.replace(":8080", f":{demo.port}") + command
    done = subprocess.run(["sh", "-c", script], cwd=demo.folder, capture_output=True, text=True, timeout=30, check=True)
    assert shape(json.loads(done.stdout)) == shape(answer)


def test_the_listeners_are_a_configuration(tmp_path: Path) -> None:
    document = json.loads(BLOCKS[0][1])
    document["realms"] = [{"name": "realm1", "authentication": {"anonymous": {}}}]
    (tmp_path / "router.json").write_text(json.dumps(document))
    public, internal = load(tmp_path / "router.json", {}).listen
    assert (public.serves, internal.serves) == (("wamp", "page"), ("backend",))


def test_every_error_has_its_status_in_the_table() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]*) \|", TEXT, re.MULTILINE)
    documented = {error: int(status) for status, errors in rows for error in re.findall(r"`([\w.]+)`", errors)}
    for error, status in {**STATUS_BY_ENDING, **STATUS_BY_ERROR}.items():
        assert documented.pop(error) == status, error
    # What has its status from somewhere else.
    assert documented == {"wamp.error.payload_size_exceeded": 413}
