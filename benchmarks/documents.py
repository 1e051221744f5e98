"""Turns what was measured into a JSON document: every run, and what follows from all of them."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.authorization import Cost
    from benchmarks.measuring import Measured, Plan, Spread
    from benchmarks.scenarios import Figure


def document(plan: Plan, results: Sequence[Measured], costs: Sequence[Cost] = ()) -> dict[str, Any]:
    """The whole benchmark, ready for ``json.dumps``."""
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine.description(),
        "plan": asdict(plan),
        "authorization": [asdict(cost) for cost in costs],
        "results": [_result(measured) for measured in results],
    }


def _result(measured: Measured) -> dict[str, Any]:
    return {
        "scenario": measured.scenario.name,
        "title": measured.scenario.title,
        "serializer": measured.serializer,
        "servers": {server: _server(measured, server) for server in measured.outcomes},
        "failures": [{"server": server, "reason": reason} for server, reason in measured.failures],
    }


def _server(measured: Measured, server: str) -> dict[str, Any]:
    return {
        "figures": {figure.title: _figure(measured, server, figure) for figure in measured.scenario.figures},
        "runs": [outcome and outcome.as_json() for outcome in measured.outcomes[server]],
    }


def _figure(measured: Measured, server: str, figure: Figure) -> dict[str, Any]:
    limits = [limit for limit in measured.scenario.limits if figure.compared and limit in measured.outcomes]
    return {
        "unit": figure.unit,
        **_spread(measured.spread(server, figure)),
        "ratios": {limit: _spread(measured.ratio(server, limit, figure)) for limit in limits},
    }


def _spread(spread: Spread | None) -> dict[str, float]:
    return {} if spread is None else asdict(spread)
