"""Fuzzes every dialect with atheris: python tests/fuzz/fuzz_dialects.py [libFuzzer's options] [folder of a corpus]

Coverage steers the bytes that are made; what :mod:`unit.bridge.hostile` checks must
hold for them. atheris (``pip install atheris``, Linux) is no test dependency; the
corpus runs as an ordinary test in tests/unit/bridge/test_hostile.py, and so should
each input that was ever found to fail.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

with atheris.instrument_imports(include=["wampgate.bridge", "unit.bridge"]):
    from unit.bridge.hostile import CHANNELS, check, corpus


def one_input(data: bytes) -> None:
    """Show bytes to every rule; their first one says on which channel."""
    if data:
        check(CHANNELS[data[0] % len(CHANNELS)], data[1:])


def main() -> None:
    """Fuzz until told to stop; a corpus folder that is empty is begun with what backends write."""
    folders = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            for number, message in enumerate(corpus()):
                for channel in range(len(CHANNELS)):
                    (folder / f"{number}-{channel}").write_bytes(bytes([channel]) + message)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
