"""Settings of the system on the pages: kernel settings that this kernel knows, and units that can be read."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from documentation.elsewhere import left

if TYPE_CHECKING:
    from documentation.blocks import Block

UNIT = {"LimitNOFILE", "Environment", "EnvironmentFile", "ExecStart", "ExecReload", "Restart", "WatchdogSec"}


def read(block: Block) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser's documentation has it
    parser.read_string(block.text if block.text.lstrip().startswith("[") else f"[sysctl]\n{block.text}")
    return parser


@pytest.mark.parametrize("block", left("ini"), ids=lambda block: block.where)
def test_the_system_knows_it(block: Block) -> None:
    for section, settings in read(block).items():
        for key in settings:
            if section == "sysctl":
                assert (Path("/proc/sys") / key.replace(".", "/")).exists(), key
            else:
                assert key in UNIT, f"[{section}] {key}"
