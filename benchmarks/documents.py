"""Turns what was measured into a JSON document, which tables and plots are made from, and joins such documents.

``results`` has an entry for each scenario and serializer, ``costs`` one for each thing
measured inside the process. An entry stands for itself: it says when and where it was
taken, so a later measurement of some scenarios replaces theirs and leaves the others.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks import machine
from benchmarks.aims import verdicts
from benchmarks.measuring import Spread, kind_of
from benchmarks.servers.registry import PRODUCT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.aims import Verdict
    from benchmarks.costs import Cost
    from benchmarks.load import Outcome
    from benchmarks.measuring import Measured, Plan
    from benchmarks.scenarios import Figure

EMPTY: Final[dict[str, Any]] = {"results": [], "costs": []}
"""A document of nothing."""


CURVES: Final = "latency"
"""The scenario of which the whole curve of latency is drawn."""


def document(plan: Plan, results: Sequence[Measured], costs: Sequence[Cost] = ()) -> dict[str, Any]:
    """One run of the benchmark, ready for ``json.dumps``."""
    taken = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine.description(),
        "plan": asdict(plan),
    }
    return {
        "results": [{**_result(measured), **taken} for measured in results],
        "costs": [{**_cost(cost), **taken} for cost in costs],
    }


def condensed(document: dict[str, Any]) -> dict[str, Any]:
    """What tables and plots need of a document, without the single runs: small enough to be kept with the sources."""

    def server(found: dict[str, Any], *, curve: bool) -> dict[str, Any]:
        return {key: value for key, value in found.items() if key != "runs" and (curve or key != "latency")}

    results = [
        {
            **result,
            "servers": {
                name: server(found, curve=result["scenario"] == CURVES) for name, found in result["servers"].items()
            },
        }
        for result in document["results"]
    ]
    return {**document, "results": results}


def merged(older: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Two documents as one: what both have, the newer one decides."""

    def key(entry: dict[str, Any]) -> tuple[str, str]:
        return entry["scenario"], entry.get("serializer", entry.get("what", ""))

    def joined(part: str) -> list[dict[str, Any]]:
        entries = {key(entry): entry for entry in older[part]}
        return list((entries | {key(entry): entry for entry in newer[part]}).values())

    measured_again = {cost["scenario"] for cost in newer["costs"]}
    kept = [cost for cost in older["costs"] if cost["scenario"] not in measured_again]
    return {"results": joined("results"), "costs": [*kept, *newer["costs"]]}


def read(file: Path) -> dict[str, Any]:
    """A document from a file.

    Raises:
        ValueError: it is none.
        OSError: it can't be read.
    """
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not {"results", "costs"} <= found.keys():
        raise ValueError(f"{file} is no document of the benchmarks: remove it, or name another place")
    return found


def write(file: Path, content: dict[str, Any]) -> None:
    """A document into a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _result(measured: Measured) -> dict[str, Any]:
    scenario = measured.scenario
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "operation": scenario.operation,
        "serializer": measured.serializer,
        "payload": measured.payload,
        "limits": [limit for limit in scenario.limits if limit in measured.outcomes],
        "servers": {contestant: _server(measured, contestant) for contestant in measured.outcomes},
        "verdicts": [_verdict(verdict) for verdict in verdicts(measured, PRODUCT)],
        "failures": [
            {"server": server, "reason": reason, "runs": runs}
            for (server, reason), runs in Counter(measured.failures).items()
        ],
        "absent": dict(measured.absent),
    }


def _server(measured: Measured, contestant: str) -> dict[str, Any]:
    runs = measured.verified(contestant)
    return {
        "kind": kind_of(contestant),
        "per_second": median(run.per_second for run in runs) if runs else None,
        "others_load": median(run.others_load for run in runs) if runs else None,
        "figures": {figure.title: _figure(measured, contestant, figure) for figure in measured.scenario.figures},
        "latency": _curve(runs),
        "runs": [outcome and outcome.as_json() for outcome in measured.outcomes[contestant]],
    }


def _curve(runs: Sequence[Outcome]) -> list[dict[str, float]]:
    """The median of all runs' curves, in microseconds by share of all operations."""
    points = zip(*(run.latency for run in runs), strict=True)
    return [{"share": run[0][0], **_spread(Spread.of([microseconds for _, microseconds in run]))} for run in points]


def _figure(measured: Measured, contestant: str, figure: Figure) -> dict[str, Any]:
    limits = [limit for limit in measured.scenario.limits if figure.compared and limit in measured.outcomes]
    return {
        "unit": figure.unit,
        **_spread(measured.spread(contestant, figure)),
        "ratios": {limit: _spread(measured.ratio(contestant, limit, figure)) for limit in limits},
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "figure": verdict.figure.title,
        "server": verdict.contestant,
        "aim": verdict.aim.text(verdict.figure.unit),
        "most": verdict.aim.most,
        "of": verdict.aim.of,
        "against": verdict.against,
        "found": _spread(verdict.found),
        "state": verdict.state,
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "scenario": cost.scenario,
        "what": cost.what,
        "unit": cost.unit,
        **_spread(Spread.of(cost.values)),
        "aim": cost.aim,
        "state": cost.state,
        "beside": {name: _spread(Spread.of(values)) for name, values in cost.beside.items()},
    }


def _spread(spread: Spread | None) -> dict[str, float]:
    """Six digits are more than any figure has."""
    return {} if spread is None else {name: float(f"{value:.6g}") for name, value in asdict(spread).items()}
