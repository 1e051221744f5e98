"""Our WAMP client for browsers, in Node: against a peer that breaks every rule, and under the type checker."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from clients.browser.npm_packages import installed, run_node_tests

PAGE = Path(__file__).parents[3] / "wampgate" / "http" / "page"


def test_the_client_against_a_scripted_peer() -> None:
    run_node_tests("wamp_client.test.mjs")


def test_the_scripts_are_typed(tmp_path: Path) -> None:
    options = {
        "allowJs": True,
        "checkJs": True,
        "strict": True,
        "noEmit": True,
        "target": "es2022",
        "module": "es2022",
        "moduleResolution": "bundler",
        "lib": ["es2023", "dom", "dom.iterable"],
        "types": [],
    }
    project = tmp_path / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": options, "files": [str(PAGE / "page.js")]}))
    command = ["node", str(installed() / "node_modules/typescript/bin/tsc"), "--project", str(project)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout
