"""Each row of docs/security.md has a mutation that takes its defence out, and what it takes out is in the code.

That the tests notice is seen by ``make defences``, which takes too long for every day.
"""

from __future__ import annotations

from pathlib import Path

from defences.table import MUTATIONS, faults_of, rows_of

ROOT = Path(__file__).parents[2]


def test_the_table_fits_the_documentation_and_the_code() -> None:
    assert faults_of(ROOT) == []


def test_no_mutation_stands_there_twice() -> None:
    assert len({mutation.edits for mutation in MUTATIONS}) == len(MUTATIONS)


def test_rows_and_faults_are_seen(tmp_path: Path) -> None:
    """The test above must not pass because nothing is read."""
    rows = rows_of(ROOT)
    assert len(rows) > 40
    assert "test_port.py::test_origins" in rows["cross-site WebSocket"]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "security.md").write_text(
        "## After\n\n| attack | defence | tests |\n| --- | --- | --- |\n| new one | none | `test_x.py::test_y` |\n"
    )
    assert faults_of(tmp_path)[0] == "tests/defences has no mutation for the row 'new one'"
    assert len(faults_of(tmp_path)) > 2 * len(MUTATIONS)
