"""The C programs build, and are built again only when their sources change."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from benchmarks import native

if TYPE_CHECKING:
    from pathlib import Path


def test_a_program_that_is_up_to_date_is_not_built_again(built: Path) -> None:
    before = (built / "limit").stat().st_mtime_ns
    assert native.program("limit") == built / "limit"
    assert (built / "limit").stat().st_mtime_ns == before


def test_a_program_older_than_its_sources_is_built_again(built: Path) -> None:
    os.utime(built / "limit", (0, 0))
    native.program("limit")
    assert (built / "limit").stat().st_mtime > 0


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native, "BUILD", tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(native.BuildFailed, match="install gcc"):
        native.program("limit")


def test_what_the_compiler_says_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native, "BUILD", tmp_path)
    with pytest.raises(native.BuildFailed, match="no-such-option"):
        native.program("limit", flags=("--no-such-option",))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "usage: load"),
        (["fanout"], "--port is missing"),
        (["nothing", "--port", "1"], "there is no scenario nothing"),
        (["fanout", "--port", "1", "--serializer", "xml"], "--serializer has a wrong value"),
        (["fanout", "--port", "1", "--protocol", "mqtt"], "--protocol has a wrong value"),
        (["fanout", "--port", "1", "--protocol", "socketio", "--serializer", "cbor"], "is spoken in json only"),
        (["calls", "--port", "1", "--protocol", "centrifuge"], "has no calls from client to client"),
        (["fanout", "--port", "1", "--protocol", "centrifuge", "--redis", "1"], "published to through Redis"),
        (["fanout", "--port", "1", "--payload", "15"], "--payload must be between"),
        (["fanout", "--port", "1", "--window", "0"], "at least 1"),
        (["fanout", "--port", "1", "--topics", "3", "--subscribers", "2"], "--topics must not exceed"),
        (["calls", "--port", "1", "--callers", "1", "--callees", "2"], "--callees must not exceed"),
        (["fanout", "--port", "1", "--user", "someone"], "BENCH_TICKET must hold"),
    ],
)
def test_the_generator_says_what_is_wrong_with_its_options(words: list[str], said: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BENCH_")}
    ended = subprocess.run([native.program("load"), *words], check=False, capture_output=True, text=True, env=environ)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert not ended.stdout


def test_a_server_that_is_not_there_is_a_fault() -> None:
    command = [str(native.program("load")), "fanout", "--port", "1", "--subscribers", "1"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "Connection refused" in ended.stdout
