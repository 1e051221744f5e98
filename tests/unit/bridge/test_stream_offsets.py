"""The offsets' file: replaced as a whole, moved aside when it can't be used, held by one process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wampgate.bridge.stream_ids import StreamId
from wampgate.bridge.stream_offsets import Offset, OffsetsInUse, OffsetsUnreadable, StreamOffsets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OFFSETS = {
    "news": Offset(StreamId(1_700_000_000_000, 3), 17, StreamId(1_700_000_000_000, 1)),
    "grüße {7}": Offset(StreamId(5, 0), None, StreamId(5, 0)),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "realm1.offsets.json"


@pytest.fixture
def offsets(path: Path) -> Iterator[StreamOffsets]:
    offsets = StreamOffsets(path)
    offsets.open()
    yield offsets
    offsets.close()


def test_what_was_stored_is_loaded(path: Path, offsets: StreamOffsets) -> None:
    assert offsets.load() == {}
    offsets.store(OFFSETS)
    assert offsets.load() == OFFSETS
    offsets.store({"news": OFFSETS["news"]})
    assert offsets.load() == {"news": OFFSETS["news"]}
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"format":1,"streams":{"news":{"id":"17000',
        b"\x00" * 100,
        b"[]",
        b'{"format":2,"streams":{}}',
        b'{"format":1,"streams":{"news":{"id":"yesterday","agreed":"1-0"}}}',
        b'{"format":1,"streams":{"news":{"id":"1-0","agreed":"1-0","added":-1}}}',
        b'{"format":1,"streams":{"news":{"id":"1-0","agreed":"99999999999999999999-0"}}}',
        b"\xff\xfe",
    ],
)
def test_a_torn_or_foreign_file_is_moved_aside(path: Path, offsets: StreamOffsets, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(OffsetsUnreadable, match=r"can't be used .* moved to realm1.offsets.json.unreadable"):
        offsets.load()
    assert path.with_name(f"{path.name}.unreadable").read_bytes() == content
    assert offsets.load() == {}
    offsets.store(OFFSETS)
    assert offsets.load() == OFFSETS


def test_a_write_that_fails_leaves_the_old_file(
    path: Path, offsets: StreamOffsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets.store(OFFSETS)
    full = OSError(28, "No space left on device")

    def refuse(_: int) -> None:
        raise full

    monkeypatch.setattr("wampgate.bridge.stream_offsets.os.fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        offsets.store({})
    assert offsets.load() == OFFSETS
    assert not path.with_name(f"{path.name}.new").exists()


def test_a_second_router_is_refused_until_the_first_ends(path: Path) -> None:
    program = "import sys; from pathlib import Path; from wampgate.bridge.stream_offsets import StreamOffsets\n"
    program += "held = StreamOffsets(Path(sys.argv[1])); held.open(); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        second = StreamOffsets(path)
        with pytest.raises(OffsetsInUse, match="state_folder of its own"):
            second.open()
        other.kill()
        other.wait()
    second.open()
    second.open()
    second.close()


def test_what_is_in_the_file(path: Path, offsets: StreamOffsets) -> None:
    """For those who read it or write it by hand."""
    offsets.store({"news": OFFSETS["news"]})
    assert json.loads(path.read_text()) == {
        "format": 1,
        "streams": {"news": {"id": "1700000000000-3", "agreed": "1700000000000-1", "added": 17}},
    }
