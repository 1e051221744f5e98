"""Wheel and sdist as a new user gets them: built, installed into fresh environments, and started from there."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pip_tools
import pytest
from raw_wamp import Peer
from router_process import RouterProcess

import wampgate

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT: Final = Path(__file__).parents[2]
TOOLS: Final = ("hatchling>=1.27", "twine>=6")
WITH_ANY_ENVIRONMENT: Final = frozenset({"pip", "setuptools"})
"""What a new environment brings along; it is counted, and not installed, since that takes longer than all else here."""

MOST_DISTRIBUTIONS: Final = 30
MOST_BYTES: Final = 150_000_000
"""Of 170 million; what any environment brings along takes the rest."""

SECONDS: Final = 240


def run(*command: Any, folder: Path | None = None, **environ: str) -> str:
    """What a command prints; it has to end with status 0."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def tools() -> Path:
    return pip_tools.installed("distributions", TOOLS, "WHEEL AND SDIST WERE NOT TESTED")


def once(make: Callable[[Path], None], name: str, factory: pytest.TempPathFactory) -> Path:
    """A folder that is made once in a run of tests, whichever of its processes comes first."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"packaging-{name}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.with_suffix(".making").mkdir()
            make(folder.with_suffix(".making"))
            folder.with_suffix(".making").rename(folder)
    return folder


@pytest.fixture(scope="module")
def sdist(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        run(tools / "hatchling", "build", "--target", "sdist", "--directory", folder, folder=ROOT)

    (path,) = once(make, "sdist", tmp_path_factory).glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")

    (path,) = once(make, "unpacked", tmp_path_factory).iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tools: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip makes of the sdist, for whoever has only that."""

    def make(folder: Path) -> None:
        run(tools / "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, sdist)

    (path,) = once(make, "wheel", tmp_path_factory).glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(tools: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what it asks for, and nothing of its extras."""

    def make(folder: Path) -> None:
        (folder / "where.txt").write_text(str(tmp_path_factory.mktemp("fresh") / "venv"))
        venv = (folder / "where.txt").read_text()
        run(sys.executable, "-m", "venv", "--without-pip", venv)
        run(tools / "pip", "--python", venv, "install", "--quiet", wheel)

    # An environment can't be moved, so only its place is noted there.
    return Path((once(make, "environment", tmp_path_factory) / "where.txt").read_text())


def files_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def tracked(*folders: str) -> set[str]:
    """The files that belong to the project, by their paths; skips outside of a clone."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: which files belong to the project can't be told")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


# --- what is in them ---


def test_the_wheel_holds_the_package_the_plugin_and_nothing_else(wheel: Path) -> None:
    files = files_of(wheel)
    assert {name.split("/")[0] for name in files} == {"wampgate", "twisted"}
    # A file beside it would hide Twisted's own plugins.
    assert {name for name in files if name.startswith("twisted/")} == {"twisted/plugins/wampgate_plugin.py"}
    assert not {name for name in files if Path(name).name.startswith(("test_", "conftest"))}
    assert not {name for name in files if name.endswith((".pyc", "dropin.cache"))}
    assert files >= tracked("wampgate")


def test_the_sdist_holds_what_tests_and_documentation_need(unpacked: Path) -> None:
    inside = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    wanted = tracked("wampgate", "twisted", "tests", "benchmarks", "examples", "docs", "pyproject.toml", "README.md")
    assert not wanted - inside
    assert inside >= {"LICENSE", "CHANGELOG.md", "Makefile", "router.json"}


def test_their_descriptions_are_well_formed(tools: Path, wheel: Path, sdist: Path) -> None:
    said = run(tools / "twine", "check", "--strict", wheel, sdist)
    assert said.count("PASSED") == 2, said


# --- what they bring along ---


def test_few_distributions_come_along(tools: Path, environment: Path) -> None:
    pip = [tools / "pip", "--python", environment]
    names = {one["name"] for one in json.loads(run(*pip, "list", "--format=json"))}
    assert "wampgate" in names
    assert len(names | WITH_ANY_ENVIRONMENT) <= MOST_DISTRIBUTIONS, names
    assert not {"rich", "pyjwt", "PyJWT", "opentelemetry-api", "pytest", "numpy"} & names
    assert "No broken requirements" in run(*pip, "check")


def test_they_take_little_space(environment: Path) -> None:
    files = [path for path in environment.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_blocks * 512 for path in files)
    assert size <= MOST_BYTES, f"{size:,} bytes"


def test_the_sdist_says_what_it_is_built_with(unpacked: Path) -> None:
    """The tests build it with what is there; pip, elsewhere, with what it says."""
    assert tomllib.loads((unpacked / "pyproject.toml").read_text())["build-system"]["requires"] == [TOOLS[0]]


# --- how they start ---


def test_the_commands_are_there(environment: Path, tmp_path: Path) -> None:
    assert wampgate.__version__ in run(environment / "bin/wampgate", "--version", folder=tmp_path)
    assert "A WAMP router" in run(environment / "bin/twistd", "--help", folder=tmp_path)
    assert "--config" in run(environment / "bin/wampgate", "run", "--help", folder=tmp_path)


def test_it_runs_from_there_and_nothing_is_imported_from_elsewhere(environment: Path, tmp_path: Path) -> None:
    where = run(environment / "bin/python", "-c", "import wampgate; print(wampgate.__file__)", folder=tmp_path)
    assert where.startswith(str(environment))


@pytest.mark.parametrize("command", ["twistd -n wampgate", "wampgate run"])
def test_it_starts_without_a_warning_and_takes_a_session(environment: Path, command: str) -> None:
    with Fresh(environment, command) as demo:
        with Peer(demo.port) as alice:
            alice.join(demo.tokens()["alice"])
            alice.subscribe("organization.7")
            with Peer(demo.port) as backend:
                backend.join(demo.tokens()["backend"]).publish("organization.7", ["from a fresh environment"])
            assert alice.event()[4] == ["from a fresh environment"]
        assert demo.stop() == 0
        said = demo.log()
    assert "warn" not in said.lower(), said
    assert "rror" not in said, said


def test_who_may_not_write_there_can_start_it_just_as_well(environment: Path) -> None:
    """As a service: the files are root's, and Twisted would like to write its cache of plugins beside them."""
    run(environment / "bin/twistd", "--help")
    folders = [environment, *(path for path in environment.rglob("*") if path.is_dir() and not path.is_symlink())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        with Fresh(environment, "wampgate run", unprivileged=True) as demo:
            with Peer(demo.port) as alice:
                alice.join(demo.tokens()["alice"])
            said = demo.log()
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert "cache" not in said, said
    assert "warn" not in said.lower(), said


class Fresh(RouterProcess):
    """The demo, started by the programs of an environment, with every warning shown that Python knows of.

    Args:
        environment: where they are.
        command: ``twistd -n wampgate`` or ``wampgate run``.
        unprivileged: whether it runs without what root may do beyond everyone else.
    """

    def __init__(self, environment: Path, command: str, *, unprivileged: bool = False) -> None:
        program, *arguments = command.split()
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if unprivileged and os.geteuid() == 0 else []
        self._mine = [*drop, str(environment / "bin" / program), *arguments]
        super().__init__(environ={"PYTHONPATH": "", "PYTHONWARNINGS": "default"})

    def launch(self) -> None:
        """See :meth:`RouterProcess.launch`."""
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._mine, *self._options()],
                cwd=self.folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
