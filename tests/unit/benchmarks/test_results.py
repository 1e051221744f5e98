"""Medians, spreads, ratios and verdicts follow from the runs, and failed runs count for nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import documents
from benchmarks.aims import BEST_PEER, verdicts
from benchmarks.costs import Cost, table
from benchmarks.load import Outcome
from benchmarks.measuring import Measured, Plan
from benchmarks.report import DOCUMENT
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers.registry import PEERS, SERVERS
from benchmarks.tables import aligned, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

FANOUT = SCENARIOS["fanout"]
PLAN = Plan(2, 1.0, 200)
COST = Cost("matching", "a topic's subscriptions", "µs", (1.0, 2.0, 3.0), most=2, beside={"few": (0.5, 0.5, 0.5)})
OUTCOME = Outcome(
    operations=1000, seconds=1.0, per_second=1000.0, cpu_us=2.0, cpu_user_us=1.0, cpu_load=0.5, generator_load=0.3,
    others_load=0.0, p50_us=100.0, p99_us=200.0, p999_us=300.0, longest_us=400.0, bytes_per_connection=12_000.0,
    idle_load=0.0,
)  # fmt: skip


def runs_of(costs: Sequence[float | None]) -> list[Outcome | None]:
    """Runs with so much CPU per operation each; None: failed."""
    return [None if cpu is None else replace(OUTCOME, cpu_us=cpu) for cpu in costs]


def measured(limit: list[float | None], product: list[float | None], scenario: Scenario = FANOUT) -> Measured:
    """A result with the given CPU per operation of each run."""
    outcomes = {scenario.limits[0]: runs_of(limit), "wampgate": runs_of(product)}
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
    assert "≤ 1.2 times limit-send: not measured" in tables(result)
    assert "failed" in tables(result)


@pytest.mark.parametrize(("cpu", "said"), [(2.4, "reached, 1.20"), (2.5, "MISSED, 1.25")])
def test_the_table_says_whether_an_aim_is_reached(cpu: float, said: str) -> None:
    assert f"≤ 1.2 times limit-send: {said}" in tables(measured([2], [cpu]))


@pytest.mark.parametrize(("kilobytes", "said"), [(6, "reached"), (6.1, "MISSED")])
def test_an_aim_may_be_a_number_of_its_own(kilobytes: float, said: str) -> None:
    result = measured([2], [2], SCENARIOS["join-1000"])
    result.outcomes["wampgate"] = [replace(OUTCOME, bytes_per_connection=kilobytes * 1000)]
    assert f"connection ≤ 6 kB: {said}" in tables(result)


def test_the_best_peer_is_the_one_with_the_least_median() -> None:
    result = measured([2, 2, 2], [3, 3, 3])
    assert "the best peer: not measured" in tables(result)
    result.outcomes["nexus"] = runs_of([6, 5, 6])
    result.outcomes["crossbar"] = runs_of([20, 1, 20])
    result.outcomes["xconn"] = runs_of([None, None, None])
    assert result.best_peer(FANOUT.figures[0]) == "nexus"
    assert "≤ 0.75 times the best peer: reached, 0.500 (0.500..0.600) times nexus" in tables(result)


def test_an_aim_against_a_peer_that_is_not_there_is_not_measured() -> None:
    scenario = SCENARIOS["organizations"]
    result = measured([2], [1], scenario)
    assert "≤ 0.6 times nexus: not measured" in tables(result)
    result.outcomes["nexus"] = runs_of([2])
    assert "≤ 0.6 times nexus: reached, 0.500" in tables(result)


def test_variants_are_judged_beside_each_other() -> None:
    outcomes = {f"wampgate {name}": runs_of([cpu]) for name, cpu in (("json", 2.0), ("msgpack", 2.4), ("cbor", 2.8))}
    text = tables(Measured(SCENARIOS["serializers"], "json", 200, outcomes, []))
    assert "wampgate msgpack, CPU per delivered event ≤ 1.3 times wampgate json: reached, 1.20" in text
    assert "wampgate cbor, CPU per delivered event ≤ 1.3 times wampgate json: MISSED, 1.40" in text
    assert "wampgate json, CPU" not in text


def test_peers_have_no_aims() -> None:
    result = measured([2], [3])
    result.outcomes["nexus"] = runs_of([9])
    assert {verdict.contestant for verdict in verdicts(result, "wampgate")} == {"wampgate"}


def test_whoever_takes_no_part_is_named_with_the_reason() -> None:
    result = replace(measured([2], [3]), absent={"centrifuge": "has no calls from client to client"})
    assert "centrifuge takes no part: has no calls from client to client" in tables(result)


def test_a_failure_is_told_once_with_its_number() -> None:
    result = measured([2, 2], [3, 3])
    result.failures.extend([("nexus", "callee blocked")] * 2)
    assert tables(result).count("FAILED nexus (2 times): callee blocked") == 1


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
    document = json.loads(json.dumps(documents.document(PLAN, [measured([2, 2], [3, None])])))
    product = document["results"][0]["servers"]["wampgate"]
    assert [run and run["cpu_us"] for run in product["runs"]] == [3, None]
    assert product["figures"]["CPU per delivered event"]["ratios"]["limit-send"]["median"] == 1.5
    assert product["kind"] == "product"
    assert document["results"][0]["machine"]["cores"] > 0
    assert [verdict["state"] for verdict in document["results"][0]["verdicts"]] == ["MISSED", "not measured"]


def test_the_document_holds_the_median_curve_of_latency() -> None:
    result = measured([2, 2, 2], [3, 3, 3])
    curves = [((0.5, 10.0), (0.99, slow)) for slow in (20.0, 90.0, 30.0)]
    result.outcomes["wampgate"] = [replace(OUTCOME, latency=curve) for curve in curves]
    server = documents.document(PLAN, [result])["results"][0]["servers"]["wampgate"]
    assert [(point["share"], point["median"]) for point in server["latency"]] == [(0.5, 10.0), (0.99, 30.0)]


def test_a_later_measurement_replaces_its_scenarios_and_leaves_the_others() -> None:
    bursts = measured([1], [1], SCENARIOS["bursts"])
    older = documents.document(PLAN, [measured([2], [3]), bursts], [COST, replace(COST, what="other")])
    newer = documents.document(PLAN, [measured([2], [4])], [COST])
    both = documents.merged(older, newer)
    assert [result["scenario"] for result in both["results"]] == ["fanout", "bursts"]
    assert both["results"][0]["servers"]["wampgate"]["figures"]["CPU per delivered event"]["median"] == 4
    assert [cost["what"] for cost in both["costs"]] == [COST.what]
    assert documents.merged(documents.EMPTY, newer) == newer


def test_a_cost_says_whether_its_aim_is_reached() -> None:
    assert "≤ 2 µs: reached" in table([COST])
    assert "≤ 2 µs: MISSED" in table([replace(COST, values=(2.1, 2.2, 1.0))])
    assert (replace(COST, most=None).aim, replace(COST, most=None).state) == ("", "")


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_scenario_refers_to_servers_that_exist(scenario: Scenario) -> None:
    assert set(scenario.limits) <= set(SERVERS) - set(PEERS)
    assert scenario.figures
    for aim in (aim for figure in scenario.figures for aim in figure.aims):
        server, _, variant = aim.of.partition(" ")
        if aim.of not in ("", BEST_PEER):
            assert server in (*scenario.limits, *PEERS)
            assert variant in (scenario.variants or {""})


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_scenario_is_documented_with_its_aims(scenario: Scenario) -> None:
    rows = DOCUMENT.read_text(encoding="utf-8").splitlines()
    row = next(row for row in rows if row.startswith("| ") and f"`{scenario.name}`" in row.split("|")[1])
    for figure in scenario.figures:
        for aim in figure.aims:
            assert f"≤ {aim.most:g}" in row
