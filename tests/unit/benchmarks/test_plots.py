"""Plots are well-formed SVG that holds every value as text, within its borders; the report puts them into Markdown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from unit.benchmarks.test_results import COST, OUTCOME, PLAN, runs_of

from benchmarks import documents, plots, report
from benchmarks.measuring import Measured
from benchmarks.scenarios import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


def document(scenario: str = "fanout", **servers: list[float | None]) -> dict[str, Any]:
    """A document with the CPU per operation of each run by server."""
    outcomes = {name.replace("_", "-"): runs_of(costs) for name, costs in servers.items()}
    failures = [("xconn", "callee <blocked> | `now`\nmore")] if "xconn" in servers else []
    measured = Measured(SCENARIOS[scenario], "json", 200, outcomes, failures, {"centrifuge": "speaks no <cbor>"})
    return documents.condensed(documents.document(PLAN, [measured], [COST]))


FANOUT = document(limit_send=[2, 2, 2], wampgate=[2.4, 2.2, 2.9], nexus=[5, 6, 7], xconn=[None, None, None])


def texts(plot: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(plot).iter(f"{SVG}text")]


def test_each_value_is_there_as_text() -> None:
    found = texts(plots.bars(FANOUT["results"][0]))
    assert {"limit-send", "wampgate", "nexus"} <= set(found)
    assert {"1.00 times; 2.00 µs", "1.20 times; 2.40 µs", "3.00 times; 6.00 µs"} <= set(found)
    assert "to reach: ≤ 1.2 times limit-send" in found
    assert "xconn" not in found


def test_the_spread_is_drawn_and_bars_are_as_long_as_their_values() -> None:
    root = ElementTree.fromstring(plots.bars(FANOUT["results"][0]))
    widths = {bar.get("class"): float(bar.get("width", "0")) for bar in root.iter(f"{SVG}rect") if bar.get("x")}
    assert widths["product"] / widths["limit"] == pytest.approx(1.2, abs=0.01)
    assert widths["peer"] / widths["limit"] == pytest.approx(3, abs=0.01)
    whiskers = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("class") == "whisker"]
    assert len(whiskers) == 3
    left, right = map(float, re.findall(r"M([\d.]+) .*H([\d.]+)", whiskers[1])[0])
    assert (right - left) / widths["limit"] == pytest.approx(1.45 - 1.1, abs=0.01)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_can_be_drawn(scenario: str, tmp_path: Path) -> None:
    """Each figure of it, and everything within the borders."""
    found = document(scenario, limit_send=[2, 2], limit_coal=[1, 1], wampgate=[9, 9], nexus=[900, 9])
    drawn = plots.draw(found["results"], tmp_path)
    assert [plot.name for plot in drawn][:1] == [f"{scenario}.svg"]
    for plot in drawn:
        root = ElementTree.fromstring(plot.read_text(encoding="utf-8"))
        _, _, width, height = map(float, root.get("viewBox", "").split())
        for text in root.iter(f"{SVG}text"):
            assert 0 <= float(text.get("x", "-1")) < width
            assert 0 <= float(text.get("y", "-1")) < height
    said = "\n".join(texts(drawn[0].read_text(encoding="utf-8")))
    assert all(f"{figure.title}, " in said for figure in SCENARIOS[scenario].figures)


def test_nobodys_figure_is_no_plot(tmp_path: Path) -> None:
    assert plots.draw(document(wampgate=[None])["results"], tmp_path) == []
    assert plots.draw(document()["results"], tmp_path) == []


def test_colours_follow_the_page() -> None:
    plot = plots.bars(FANOUT["results"][0])
    assert "prefers-color-scheme: dark" in plot
    assert not re.search(r'(fill|stroke)="#', plot)


def test_curves_rise_with_the_share_and_name_p99(tmp_path: Path) -> None:
    scenario = SCENARIOS["latency"]
    curve = ((0.001, 90.0), (0.5, 1000.0), (0.99, 12_000.0), (0.9999, 50_000.0), (1.0, 60_000.0))
    outcomes = {name: [replace(OUTCOME, latency=curve)] for name in ("limit-send", "wampgate")}
    found = documents.condensed(documents.document(PLAN, [Measured(scenario, "json", 200, dict(outcomes), [])]))
    files = plots.draw(found["results"], tmp_path)
    assert [file.name for file in files] == ["latency.svg", "latency-curves.svg"]
    plot = files[1].read_text(encoding="utf-8")
    assert texts(plot).count("p99 12.0 ms") == 2
    assert {"99 %", "99.99 %", "0.01", "100"} <= set(texts(plot))
    points = [
        tuple(map(float, point.split(",")))
        for line in ElementTree.fromstring(plot).iter(f"{SVG}polyline")
        for point in line.get("points", "").split()
    ]
    assert [x for x, _ in points[:5]] == sorted(x for x, _ in points[:5])
    assert [y for _, y in points[:5]] == sorted((y for _, y in points[:5]), reverse=True)


def test_the_report_writes_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    results, text = tmp_path / "figures" / "results.json", tmp_path / "performance.md"
    documents.write(results, FANOUT)
    text.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    assert report.main([str(results), "--document", str(text)]) == 0
    written = text.read_text(encoding="utf-8")
    assert written.startswith(f"before\n{report.BEGIN}\n")
    assert written.endswith(f"{report.END}\nafter\n")
    assert "old" not in written
    assert "![fanout](figures/fanout.svg)" in written
    assert (results.parent / "fanout.svg").exists()
    again = written
    assert report.main([str(results), "--document", str(text)]) == 0
    assert text.read_text(encoding="utf-8") == again


def test_the_report_tells_aims_servers_failures_and_absences() -> None:
    written = report.figures(FANOUT)
    assert "| `fanout`: CPU per delivered event | 2.40 µs (2.20 to 2.90) | 1,000 deliveries/s |" in written
    assert "| ≤ 1.2 times limit-send | 1.20 (1.10 to 1.45) | reached |" in written
    assert "| ≤ 0.75 times the best peer | 0.414 (0.367 to 0.480) times nexus | reached |" in written
    assert "2.00 µs | 2.40 µs (1.20) | 6.00 µs (3.00) | failed |" in written
    assert "noisy" not in written
    assert "- `fanout` without centrifuge: speaks no <cbor>" in written
    assert "- `fanout`: 1 runs of xconn failed: `callee <blocked> | 'now'`" in written
    assert "| a topic's subscriptions | 2.00 µs (1.00 to 3.00) |  | ≤ 2 µs |  | reached |" in written


def test_the_report_tells_of_noise() -> None:
    outcomes = {"wampgate": [replace(OUTCOME, others_load=0.5)], "limit-send": [OUTCOME]}
    found = documents.document(PLAN, [Measured(SCENARIOS["fanout"], "json", 200, dict(outcomes), [])])
    assert "- `fanout` is noisy: other processes used up to 50% of a core" in report.figures(found)


def test_tables_keep_their_shape_whatever_a_server_says() -> None:
    for line in report.figures(FANOUT).splitlines():
        if line.startswith("| "):
            assert line.endswith(" |")


def test_the_report_says_what_is_wrong_with_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "performance.md"
    text.write_text("no marks", encoding="utf-8")
    assert report.main([str(tmp_path / "missing.json"), "--document", str(text)]) == 2
    (tmp_path / "results.json").write_text(json.dumps(FANOUT), encoding="utf-8")
    assert report.main([str(tmp_path / "results.json"), "--document", str(text)]) == 2
    told = capsys.readouterr().err
    assert "missing.json" in told
    assert "needs the lines" in told
    assert text.read_text(encoding="utf-8") == "no marks"


def test_the_documentation_has_both_marks() -> None:
    text = report.DOCUMENT.read_text(encoding="utf-8")
    assert report.replaced(text, "new").count("new\n") >= 1
