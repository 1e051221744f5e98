"""``python -m tests.defences [TEXT]``: takes each defence out, one after the other, and sees the tests notice.

It works on a copy of the project, one mutation at a time and nicely, and takes its time.
With TEXT, only those mutations run whose row or description holds it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .table import MUTATIONS, faults_of, misfits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .mutation import Mutation

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("wampgate", "tests", "docs", "twisted", "examples", "benchmarks")
FILES: Final = ("pyproject.toml", "router.json", "README.md", "CHANGELOG.md", "Makefile")
LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "node_modules", "build", "dropin.cache")

BROKEN: Final = ("RouterDidNotStart", "SyntaxError", "NameError", "ImportError", "ModuleNotFoundError")
"""What tells of a mutation that breaks the router instead of taking a defence out."""

SECONDS: Final = 600.0
NICENESS: Final = 5


class Copy:
    """A copy of the project, in which defences are taken out and put back. A context manager."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wampgate-defences-"))

    def __enter__(self) -> Copy:
        for name in COPIED:
            shutil.copytree(ROOT / name, self._folder / name, ignore=LEFT_OUT)
        for name in FILES:
            shutil.copy(ROOT / name, self._folder / name)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def healthy(self, tests: Iterable[str]) -> dict[str, str]:
        """What those tests say that do not pass as it is: nothing can be learnt from them."""
        said = {test: self._test(test) for test in tests}
        return {test: outcome for test, outcome in said.items() if outcome != "passed"}

    def run(self, mutation: Mutation) -> dict[str, str]:
        """What each of a mutation's tests says: ``failed``, ``passed`` or what went wrong otherwise."""
        originals = {edit.file: (ROOT / "wampgate" / edit.file).read_text() for edit in mutation.edits}
        try:
            texts = dict(originals)
            for edit in mutation.edits:
                texts[edit.file] = texts[edit.file].replace(edit.old, edit.new)
            self._write(texts)
            return {test: self._test(test) for test in mutation.tests}
        finally:
            self._write(originals)

    def _write(self, texts: dict[str, str]) -> None:
        for file, text in texts.items():
            (self._folder / "wampgate" / file).write_text(text)

    def _test(self, test: str) -> str:
        path, name = self._place(test)
        environ = {**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = ["nice", "-n", str(NICENESS), sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        try:
            done = subprocess.run(
                [*command, f"{path}::{name}"],
                cwd=self._folder,
                env=environ,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "failed"  # the test waits for what does not come any more
        return _outcome(done.stdout)

    def _place(self, test: str) -> tuple[Path, str]:
        file, name = test.split("::")
        (path,) = [
            path
            for path in (self._folder / "tests").rglob(file)
            if re.search(rf"^(async )?def {name}\(", path.read_text(), re.MULTILINE)
        ]
        return path.relative_to(self._folder), name


def _outcome(output: str) -> str:
    last = output.strip().splitlines()[-1] if output.strip() else ""
    if any(word in output for word in BROKEN):
        return f"broken: {last}"
    if re.search(r"\d+ failed", last):
        return "failed"
    return "passed" if re.search(r"\d+ passed", last) else f"nothing: {last}"


def say(line: str) -> None:
    """Tell how far it has come, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(wanted: str) -> int:
    """Run the mutations; 0 if each was noticed by each of its tests."""
    faults = faults_of(ROOT)
    for fault in faults:
        say(fault)
    chosen = [one for one in MUTATIONS if wanted in f"{one.row}: {one.without}" and not misfits(one, ROOT)]
    unnoticed = 0
    with Copy() as copy:
        sick = copy.healthy(sorted({test for mutation in chosen for test in mutation.tests}))
        for test, outcome in sick.items():
            say(f"{test} does not pass as it is: {outcome}")
        for number, mutation in enumerate(chosen, 1):
            start = time.monotonic()
            outcomes = copy.run(mutation)
            bad = {test: outcome for test, outcome in outcomes.items() if outcome != "failed" or test in sick}
            unnoticed += bool(bad)
            verdict = f"{'NOT NOTICED' if bad else 'noticed'} in {time.monotonic() - start:.0f} s"
            say(f"[{number}/{len(chosen)}] {verdict}: {mutation.row}: without {mutation.without}")
            for test, outcome in bad.items():
                say(f"    {test}: {outcome}")
    say(f"{len(chosen) - unnoticed} of {len(chosen)} were noticed by each of their tests")
    return 1 if unnoticed or faults else 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
