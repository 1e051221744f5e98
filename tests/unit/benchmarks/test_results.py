"""Medians, spreads, ratios and verdicts follow from the runs, and failed runs count for nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks import documents
from benchmarks.load import Outcome
from benchmarks.measuring import Measured, Plan
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers.registry import PEERS, SERVERS
from benchmarks.tables import aligned, tables

FANOUT = SCENARIOS["fanout"]
OUTCOME = Outcome(
    operations=1000, seconds=1.0, per_second=1000.0, cpu_us=2.0, cpu_user_us=1.0, cpu_load=0.5, generator_load=0.3,
    others_load=0.0, p50_us=100.0, p99_us=200.0, p999_us=300.0, longest_us=400.0, bytes_per_connection=12_000.0,
    idle_load=0.0,
)  # fmt: skip


def measured(limit: list[float | None], product: list[float | None], scenario: Scenario = FANOUT) -> Measured:
    """A result with the given CPU per operation of each run."""
    outcomes = {
        name: [None if cpu is None else replace(OUTCOME, cpu_us=cpu) for cpu in runs]
        for name, runs in ((scenario.limits[0], limit), ("wampgate", product))
    }
    return Measured(scenario, "json", 200, outcomes, [])


def test_ratios_are_taken_round_by_round() -> None:
    # The medians are 2 and 3, but the machine was three times slower in the second round for both.
    ratio = measured([2, 6, 1], [3, 9, 1.5]).ratio("wampgate", "limit-send", FANOUT.figures[0])
    assert ratio is not None
    assert (ratio.least, ratio.median, ratio.greatest) == (1.5, 1.5, 1.5)


def test_a_round_with_a_failed_run_has_no_ratio() -> None:
    ratio = measured([2, None, 2], [4, 100, None]).ratio("wampgate", "limit-send", FANOUT.figures[0])
    assert ratio is not None
    assert (ratio.least, ratio.greatest) == (2, 2)


def test_no_run_gives_no_figure() -> None:
    result = measured([2], [None])
    assert result.spread("wampgate", FANOUT.figures[0]) is None
    assert result.ratio("wampgate", "limit-send", FANOUT.figures[0]) is None
    assert "unknown" in tables(result)


@pytest.mark.parametrize(("cpu", "said"), [(3.0, "reached"), (3.1, "MISSED")])
def test_the_table_says_whether_an_aim_is_reached(cpu: float, said: str) -> None:
    assert said in tables(measured([2], [cpu]))


@pytest.mark.parametrize(("kilobytes", "said"), [(14, "reached"), (14.1, "MISSED")])
def test_an_aim_may_be_a_number_of_its_own(kilobytes: float, said: str) -> None:
    result = measured([2], [2], SCENARIOS["join-1000"])
    result.outcomes["wampgate"] = [replace(OUTCOME, bytes_per_connection=kilobytes * 1000)]
    assert said in tables(result)


def test_the_table_names_the_rate_of_each_figure() -> None:
    assert "1,000" in tables(measured([2], [3]))


def test_failures_and_noise_are_not_hidden() -> None:
    result = measured([2], [3])
    result.failures.append(("wampgate", "subscriber 7 got 3 of 4 events"))
    result.outcomes["wampgate"] = [replace(OUTCOME, others_load=0.5)]
    text = tables(result)
    assert "FAILED wampgate: subscriber 7 got 3 of 4 events" in text
    assert "NOISY wampgate: others used 50% of a core" in text
    assert "NOISY limit-send" not in text


def test_columns_are_aligned() -> None:
    assert aligned([["", "µs", "aim"], ["limit", "10.0", ""]]) == "           µs  aim\n  limit  10.0"


def test_the_document_holds_every_run() -> None:
    document = json.loads(json.dumps(documents.document(Plan(2, 1.0, 200), [measured([2, 2], [3, None])])))
    product = document["results"][0]["servers"]["wampgate"]
    assert [run and run["cpu_us"] for run in product["runs"]] == [3, None]
    assert product["figures"]["CPU per delivered event"]["ratios"]["limit-send"]["median"] == 1.5
    assert document["machine"]["cores"] > 0


def test_every_scenario_refers_to_servers_that_exist() -> None:
    for scenario in SCENARIOS.values():
        assert set(scenario.limits) <= set(SERVERS) - set(PEERS)
        assert scenario.figures
