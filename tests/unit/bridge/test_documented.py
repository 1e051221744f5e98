"""docs/redis.md names every counter, and no other."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[3]


def test_counters() -> None:
    source = "".join(path.read_text() for path in (TOP / "wampgate/bridge").rglob("*.py"))
    counted = set(re.findall(r'(?:Dropped\(|Undecodable\(|counters\[)\s*"(\w+)"', source))
    rows = (TOP / "docs/redis.md").read_text().partition("| counter |")[2].partition("\n\n")[0].splitlines()[2:]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert counted == documented
    assert len(counted) > 15
