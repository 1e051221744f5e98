"""fox-wamp, a router written in JavaScript (a library: its program is ``peers/foxwamp/main.js``), with its defaults.

It speaks JSON only, and asks its authorizer about topics, never about procedures.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, ClassVar

from benchmarks.servers.program import Program

if TYPE_CHECKING:
    from pathlib import Path


class FoxWamp(Program):
    """The router in one process of Node.js."""

    name = "foxwamp"
    serializers = ("json",)
    environ: ClassVar = {"NODE_ENV": "production"}

    def lacks(self) -> str | None:
        """Node.js, or what npm would install."""
        return super().lacks() if shutil.which("node") else "Node.js (node)"

    def command(self, installed: Path) -> list[str]:
        """Node.js with the program that lies beside its modules."""
        return ["node", str(installed / "main.js")]
