"""Builds the C programs once per test run, in a folder of its own; without a compiler it skips, loudly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import native

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with both executables, built without a warning."""
    if native.compiler() is None:
        pytest.skip("NO BENCHMARK TEST WAS RUN: there is no C compiler on PATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "BUILD", tmp_path_factory.mktemp("build"))
        for name in native.PROGRAMS:
            native.program(name, flags=("-Werror",))
        yield native.BUILD
