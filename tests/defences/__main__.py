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
    """A copy of the project, in which defences are taken out and put back. A context manager.

    Attributes:
        folder: where it is.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wampgate-defences-"))

    def __enter__(self) -> Copy:
        for name in COPIED:
            shutil.copytree(ROOT / name, self.folder / name, ignore=LEFT_OUT)
        for name in FILES:
            shutil.copy(ROOT / name, self.folder / name)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def sick(self, tests: Iterable[str]) -> set[str]:
        """Those of the tests that do not pass as it is: nothing can be learnt from them."""
        output = self._pytest(*tests)
        return {test for test in tests if re.search(rf"^(FAILED|ERROR) \S*{re.escape(test)}\b", output, re.MULTILINE)}

    def run(self, mutation: Mutation) -> dict[str, str]:
        """What each of a mutation's tests says: ``failed``, ``passed`` or what went wrong otherwise."""
        # Of the copy: the project may go on meanwhile.
        originals = {edit.file: (self.folder / "wampgate" / edit.file).read_text() for edit in mutation.edits}
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
            (self.folder / "wampgate" / file).write_text(text)

    def _test(self, test: str) -> str:
        try:
            return _outcome(self._pytest("-x", test))
        except subprocess.TimeoutExpired:
            return "failed"  # the test waits for what does not come any more

    def _pytest(self, *arguments: str) -> str:
        """What pytest says of tests; options go before them."""
        places = [self._place(one) if "::" in one else one for one in arguments]
        done = subprocess.run(
            ["nice", "-n", str(NICENESS), sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *places],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS * max(1, len(places) // 10),
            check=False,
        )
        return done.stdout

    def _place(self, test: str) -> str:
        file, name = test.split("::")
        (path,) = [
            path
            for path in (self.folder / "tests").rglob(file)
            if re.search(rf"^(async )?def {name}\(", path.read_text(), re.MULTILINE)
        ]
        return f"{path.relative_to(self.folder)}::{name}"


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
    unnoticed = 0
    with Copy() as copy:
        chosen = [one for one in MUTATIONS if wanted in f"{one.row}: {one.without}" and not misfits(one, copy.folder)]
        sick = copy.sick(sorted({test for mutation in chosen for test in mutation.tests}))
        for test in sorted(sick):
            say(f"{test} does not pass as it is")
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
    # It takes hours: whoever asks how it is used gets an answer instead.
    if sys.argv[1:] and sys.argv[1].startswith("-"):
        say(__doc__ or "")
        sys.exit(0)
    sys.exit(main(" ".join(sys.argv[1:])))
