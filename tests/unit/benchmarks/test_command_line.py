"""The command line runs what it is asked to, says what came out, and refuses what it doesn't know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import benchmarks.__main__ as command_line
from benchmarks import costs, installing, measuring
from benchmarks.__main__ import main
from benchmarks.servers.registry import PEERS

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measuring import Measured
    from benchmarks.scenarios import Scenario

LIMITS_ONLY = ["--no-peers", "--no-product"]
SMALL = ["--rounds", "2", "--generator", "--subscribers 20 --warm 0.1 --connections 50 --seconds 0.2"]


def test_it_prints_a_table_and_writes_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, table = tmp_path / "runs.json", tmp_path / "table.txt"
    chosen = [*LIMITS_ONLY, "--scenarios", "fanout,join-1000", "--serializers", "json,cbor"]
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
    assert main([*LIMITS_ONLY, "--scenarios", "fanout", *SMALL, "--generator", "--topics 999999"]) == 1
    assert "FAILED limit-send (2 times)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--scenarios", "everything"], ["--peers", "limit-send"], ["--rounds", "0"], ["--serializers", "ubjson"]]
)
def test_unknown_names_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_nothing_to_measure_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LIMITS_ONLY, "--no-limits", "--scenarios", "fanout"]) == 2
    assert "no server is left" in capsys.readouterr().err


def test_plots_are_drawn_from_all_results_that_lie_beside_them(tmp_path: Path) -> None:
    for scenario in ("fanout", "join-1000"):
        assert main([*LIMITS_ONLY, "--scenarios", scenario, *SMALL, "--plots", str(tmp_path)]) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fanout.svg", "join-1000.svg", "results.json"]
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["results"]
    assert [result["scenario"] for result in results] == ["fanout", "join-1000"]
    assert "runs" not in results[0]["servers"]["limit-send"]


def test_results_that_are_none_are_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.json").write_text("[]", encoding="utf-8")
    assert main([*LIMITS_ONLY, "--scenarios", "fanout", *SMALL, "--plots", str(tmp_path)]) == 2
    assert "is no document of the benchmarks: remove it" in capsys.readouterr().err


def test_what_was_finished_before_an_interruption_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(scenario: Scenario, *words: Any, **options: Any) -> Measured:
        if scenario.name == "bursts":
            raise KeyboardInterrupt
        return measuring.measure(scenario, *words, **options)

    monkeypatch.setattr(command_line, "measure", measure)
    document = tmp_path / "runs.json"
    assert main([*LIMITS_ONLY, "--scenarios", "fanout,bursts", *SMALL, "--json", str(document)]) == 1
    results = json.loads(document.read_text(encoding="utf-8"))["results"]
    assert [result["scenario"] for result in results] == ["fanout"]


def test_a_peer_that_cannot_be_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(name: str) -> None:
        raise installing.InstallFailed(f"{name} can't be installed without go: install Go")

    monkeypatch.setattr(installing, "install", install)
    monkeypatch.setattr(installing, "lacks", lambda name: f"{name}, which --install would install")
    peer = next(name for name, server in PEERS.items() if server().package is not None)
    assert main(["--no-product", "--peers", peer, "--install", "--scenarios", "fanout", *SMALL]) == 0
    told = capsys.readouterr().err
    assert "can't be installed without go" in told
    assert f"{peer} is left out" in told


def test_costs_inside_the_process_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = costs.Cost("matching", "a topic's subscriptions", "µs", (1.5, 1.0), most=2)
    monkeypatch.setitem(command_line.INSIDE, "matching", lambda rounds: [cost] * (rounds - 1))
    document, table = tmp_path / "runs.json", tmp_path / "table.txt"
    words = ["--scenarios", "matching", "--rounds", "2", "--json", str(document), "--table", str(table)]
    assert main([*LIMITS_ONLY, *words]) == 0
    (kept,) = json.loads(document.read_text(encoding="utf-8"))["costs"]
    assert (kept["median"], kept["aim"], kept["state"]) == (1.25, "≤ 2 µs", "reached")
    assert "a topic's subscriptions" in table.read_text(encoding="utf-8")
