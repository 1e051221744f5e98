"""A file that is appended to while others move, truncate and remove it."""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING

import pytest
from unit.core.routed import Clock

from wampgate.observation.append_file import AppendFile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_moved_file_is_noticed_within_a_second(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "x.log"
    file = AppendFile(path, now=clock)
    file.write(b"1\n")
    path.rename(tmp_path / "old")
    file.write(b"2\n")
    clock.now += 1
    file.write(b"3\n")
    assert (tmp_path / "old").read_bytes() == b"1\n2\n"
    assert path.read_bytes() == b"3\n"
    path.unlink()
    file.reopen()
    file.write(b"4\n")
    assert path.read_bytes() == b"4\n"
    file.close()


def test_others_may_truncate_it_and_append_to_it(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = AppendFile(path)
    file.write(b"1\n")
    os.truncate(path, 0)
    with path.open("ab") as other:
        other.write(b"theirs\n")
    file.write(b"2\n")
    assert path.read_bytes() == b"theirs\n2\n"
    assert path.stat().st_mode & 0o777 == 0o640
    file.close()


def test_it_rotates_and_keeps_so_many(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "x.log"
    file = AppendFile(path, rotate_bytes=10, keep=2, now=clock)
    for number in range(5):
        file.write(f"{number:010}\n".encode())
        clock.now += 1
    file.write(b"last\n")
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        "x.log": "last\n",
        "x.log.1": "0000000004\n",
        "x.log.2": "0000000003\n",
    }
    file.close()


def test_where_no_new_file_can_be_begun_the_old_one_goes_on(tmp_path: Path) -> None:
    clock = Clock()
    folder = tmp_path / "folder"
    folder.mkdir()
    file = AppendFile(folder / "x.log", now=clock)
    folder.rename(tmp_path / "gone")
    clock.now += 1
    file.write(b"1\n")
    assert file.fault == "No such file or directory"
    assert (tmp_path / "gone" / "x.log").read_bytes() == b"1\n"
    folder.mkdir()
    clock.now += 1
    file.write(b"2\n")
    assert file.fault == ""
    assert (folder / "x.log").read_bytes() == b"2\n"
    file.close()


def test_of_a_line_that_does_not_fit_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = AppendFile(path)
    file.write(b"whole\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What a full disk does: it takes a part.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            file.write(b"this is cut\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    file.write(b"again\n")
    assert path.read_bytes() == b"whole\nagain\n"
    file.close()
