"""The command line runs what it is asked to, says what came out, and refuses what it doesn't know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["--rounds", "2", "--generator", "--subscribers 20 --warm 0.1 --connections 50 --seconds 0.2"]


def test_it_prints_a_table_and_writes_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, table = tmp_path / "runs.json", tmp_path / "table.txt"
    chosen = ["--no-peers", "--scenarios", "fanout,join-1000", "--serializers", "json,cbor"]
    status = main([*chosen, *SMALL, "--json", str(document), "--table", str(table)])
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "CPU per delivered event" in printed
    assert "memory per idle connection" in printed
    assert table.read_text(encoding="utf-8").strip() in printed
    results = json.loads(document.read_text(encoding="utf-8"))["results"]
    assert [(result["scenario"], result["serializer"]) for result in results] == [
        ("fanout", "json"), ("join-1000", "json"), ("fanout", "cbor"), ("join-1000", "cbor"),
    ]  # fmt: skip
    assert all(len(result["servers"]["limit-send"]["runs"]) == 2 for result in results)


def test_a_run_that_fails_is_told_by_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no-peers", "--scenarios", "fanout", *SMALL, "--generator", "--topics 999999"]) == 1
    assert "FAILED limit-send" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--scenarios", "everything"], ["--peers", "limit-send"], ["--rounds", "0"], ["--serializers", "ubjson"]]
)
def test_unknown_names_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_nothing_to_measure_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no-peers", "--no-limits", "--scenarios", "fanout"]) == 2
    assert "no server is left" in capsys.readouterr().err
