"""Peers are installed from their lock files by their own package managers, and what went wrong is said."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from benchmarks import installing, native

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Peer = Callable[..., Path]

EMPTY_LOCK = {"name": "pear", "lockfileVersion": 3, "requires": True, "packages": {"": {"name": "pear"}}}
PROGRAM = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("built") }\n'


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """Makes the peer ``pear`` of some files, to be installed below the test's folder; nothing needs a network."""
    monkeypatch.setattr(native, "BUILD", tmp_path / "build")
    monkeypatch.setattr(installing, "SOURCES", tmp_path / "peers")
    # Whatever is asked of a registry in spite of that fails at once.
    for variable, value in (("GOPROXY", "off"), ("PIP_NO_INDEX", "true"), ("npm_config_offline", "true")):
        monkeypatch.setenv(variable, value)

    def make(**files: str) -> Path:
        folder = tmp_path / "peers" / "pear"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    return make


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"INSTALLING BY {program} WAS NOT TESTED: it is not on PATH")


def test_python_packages_get_an_environment_of_their_own(peer: Peer) -> None:
    peer(**{"requirements.txt": "# nothing\n"})
    assert "pear" in (installing.lacks("pear") or "")
    installing.install("pear")
    assert installing.lacks("pear") is None
    python = installing.folder("pear") / "bin" / "python"
    prefix = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert prefix.stdout.strip() == str(installing.folder("pear"))


def test_what_is_not_pinned_by_a_hash_is_refused(peer: Peer) -> None:
    peer(**{"requirements.txt": "ruff==0.17.0\n"})
    with pytest.raises(installing.InstallFailed) as failed:
        installing.install("pear")
    text = str(failed.value)
    assert text.startswith("pear can't be installed: 'python -m pip install")
    assert "ruff==0.17.0" in text
    assert "hash" in text
    assert "Traceback" not in text


def test_a_program_in_go_is_built(peer: Peer) -> None:
    need("go")
    peer(**{"go.mod": "module pear\n\ngo 1.22\n", "main.go": PROGRAM})
    installing.install("pear")
    built = subprocess.run([installing.folder("pear") / "pear"], capture_output=True, text=True, check=True)
    assert built.stdout == "built\n"
    assert installing.lacks("pear") is None


def test_a_module_that_the_lock_file_does_not_know_is_refused(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    need("go")
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    source = peer(**{"go.mod": "module pear\n\ngo 1.22\n", "main.go": PROGRAM.replace('"fmt"', '"example.org/other"')})
    with pytest.raises(installing.InstallFailed, match=r"(?s)pear can't be installed: 'go build .*example\.org/other"):
        installing.install("pear")
    assert (source / "go.mod").read_text(encoding="utf-8") == "module pear\n\ngo 1.22\n"


def test_node_programs_lie_beside_their_modules(peer: Peer) -> None:
    need("npm")
    lock = json.dumps(EMPTY_LOCK)
    peer(**{"package.json": '{"name": "pear"}', "package-lock.json": lock, "main.js": "console.log('found')"})
    installing.install("pear")
    assert installing.lacks("pear") is None
    assert (installing.folder("pear") / "main.js").exists()


def test_what_has_changed_or_failed_half_way_is_missing_again(peer: Peer) -> None:
    need("npm")
    peer(**{"package.json": '{"name": "pear"}', "package-lock.json": json.dumps(EMPTY_LOCK), "main.js": ""})
    installing.install("pear")
    peer(**{"main.js": "console.log('later')"})
    assert "has changed" in (installing.lacks("pear") or "")
    installing.install("pear")
    assert installing.lacks("pear") is None
    peer(**{"package-lock.json": "{"})
    with pytest.raises(installing.InstallFailed, match="'npm ci"):
        installing.install("pear")
    peer(**{"package-lock.json": json.dumps(EMPTY_LOCK)})
    assert installing.lacks("pear") is not None


@pytest.mark.parametrize(("file", "program"), [("go.mod", "Go 1.24"), ("package-lock.json", "Node.js 20")])
def test_a_missing_package_manager_is_named(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, program: str
) -> None:
    peer(**{file: ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(installing.InstallFailed, match=rf"pear can't be installed without \w+: install {program}"):
        installing.install("pear")


def test_a_command_that_never_ends_is_ended(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    peer(**{"requirements.txt": "# nothing\n"})
    monkeypatch.setattr(installing, "_MOST_SECONDS", 0.01)
    with pytest.raises(installing.InstallFailed, match="took over 0 s"):
        installing.install("pear")


def test_a_folder_without_a_lock_file_is_refused(peer: Peer) -> None:
    peer(**{"package.json": "{}"})
    with pytest.raises(installing.InstallFailed, match=r"no requirements\.txt, go\.mod or package-lock\.json"):
        installing.install("pear")
