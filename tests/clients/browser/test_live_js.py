"""``live.js`` under the type checker, and in a real Chromium over both libraries, on the real router."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from clients.browser.npm_packages import chromium, installed, run_node_tests

PAGE = Path(__file__).parents[3] / "wampgate" / "http" / "page"
OPTIONS = {
    "strict": True,
    "noEmit": True,
    "target": "es2022",
    "module": "es2022",
    "moduleResolution": "bundler",
    "lib": ["es2023", "dom", "dom.iterable"],
    "types": [],
}
# What is declared is what there is: either could be taken for the other.
AGREEMENT = """
import * as declared from "./declared/live.js";
import * as declaredLinks from "./declared/live_links.js";
import * as actual from "./actual/live.js";
import * as actualLinks from "./actual/live_links.js";

export const live: typeof declared.live = actual.live;
export const overAutobahn: typeof declaredLinks.overAutobahn = actualLinks.overAutobahn;
export const overWamp: typeof declaredLinks.overWamp = actualLinks.overWamp;
export const options: (options: actual.LiveOptions) => declared.LiveOptions = (options) => options;
export const subscribing: (options: actual.SubscribeOptions) => declared.SubscribeOptions = (options) => options;
"""
# As an application writes it.
USE = """
import { live, type Gap } from "./declared/live.js";
import { overWamp } from "./declared/live_links.js";

const open = overWamp(() => null, { url: "wss://news.example.org/ws", realm: "realm1" });
const session = live({ open, token: async () => "token", onstate: ({ name, retryIn }) => name.length + retryIn });
const loadAnew = (gap: Gap): string => gap.topic;
export const made = session.subscribe("organization.7", (args, kwargs) => [args.length, kwargs.n], { ongap: loadAnew });
"""
MISTAKES = (
    "session.subscribe(7, () => {})",
    'session.subscribe("t", () => {}, { match: "postfix" })',
    "live({ open, token: 7 })",
)


def checked(folder: Path, files: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    project = folder / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": OPTIONS | more, "files": files}))
    command = ["node", str(installed() / "node_modules/typescript/bin/tsc"), "--project", str(project)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def copied(folder: Path) -> Path:
    shutil.copytree(PAGE, folder / "actual")
    shutil.copytree(PAGE.parent / "types", folder / "declared")
    return folder


def test_the_modules_are_typed(tmp_path: Path) -> None:
    run = checked(tmp_path, [str(PAGE / "live.js"), str(PAGE / "live_links.js")], allowJs=True, checkJs=True)
    assert run.returncode == 0, run.stdout


def test_the_declarations_say_what_there_is(tmp_path: Path) -> None:
    (copied(tmp_path) / "agreement.ts").write_text(AGREEMENT)
    run = checked(tmp_path, ["agreement.ts"], allowJs=True, checkJs=True)
    assert run.returncode == 0, run.stdout


def test_an_application_in_typescript(tmp_path: Path) -> None:
    (copied(tmp_path) / "use.ts").write_text(USE)
    run = checked(tmp_path, ["use.ts"])
    assert run.returncode == 0, run.stdout
    for mistake in MISTAKES:
        (tmp_path / "use.ts").write_text(f"{USE}\n{mistake};\n")
        assert checked(tmp_path, ["use.ts"]).returncode != 0, mistake


def test_in_a_browser() -> None:
    run_node_tests(
        "live.test.mjs",
        timeout=300,
        PYTHON=sys.executable,
        CHROMIUM=chromium(),
        SCREENSHOTS=os.environ.get("SCREENSHOTS", ""),
    )
