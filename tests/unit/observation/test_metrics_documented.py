"""Metrics are documented as they are, and what the examples ask for exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.observation.watched import Watched

from wampgate.config.admin import Admin
from wampgate.observation.metric_families import FAMILIES

ROOT = Path(__file__).parents[3]
METRICS = ROOT / "docs" / "metrics.md"
MONITORING = ROOT / "examples" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "wampgate.json"
ALERTS = MONITORING / "alerts.yml"
_NAME = re.compile(r"\b(?:wampgate_\w+|process_\w+|python_gc_\w+)")


def table() -> str:
    """The table of docs/metrics.md, as the metrics are; to be copied there when they change."""
    rows = []
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels) or "none"
        rows.append(f"| `{family.shown}` | {family.kind} | {labels} | {family.text} |")
    return "\n".join(rows)


def exported() -> set[str]:
    """Every name that a query may use."""
    names = {sample.name for metric in Watched().exposition._registry.collect() for sample in metric.samples}
    for family in FAMILIES:
        suffixes = ("_bucket", "_count", "_sum") if family.kind == "histogram" else ("",)
        names |= {family.shown + suffix for suffix in suffixes}
    return names


def expressions(value: Any) -> list[str]:
    """Every query in a dashboard or in rules."""
    if isinstance(value, dict):
        found = [value["expr"]] if isinstance(value.get("expr"), str) else []
        found += [value["query"]] if isinstance(value.get("query"), str) and "label_values" in value["query"] else []
        return found + [one for each in value.values() for one in expressions(each)]
    return [one for each in value for one in expressions(each)] if isinstance(value, list) else []


def names_in(queries: list[str]) -> set[str]:
    return {name for query in queries for name in _NAME.findall(query)}


def test_the_table_says_what_there_is() -> None:
    assert table() in METRICS.read_text(), f"docs/metrics.md needs this table:\n{table()}"


def test_every_key_of_the_listener_stands_in_the_documentation_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \| [^|]+ \|$", METRICS.read_text(), re.MULTILINE))
    for key in Admin.__struct_fields__:
        default = getattr(Admin(), key)
        written = json.dumps(list(default) if isinstance(default, tuple) else default).strip('"')
        assert rows[key].strip("`") == written, key


def test_the_dashboard_and_the_rules_ask_for_what_exists() -> None:
    dashboard = names_in(expressions(json.loads(DASHBOARD.read_text())))
    rules = names_in(expressions(yaml.safe_load(ALERTS.read_text())))
    assert len(dashboard) > 30
    assert len(rules) > 10
    assert (dashboard | rules) - exported() == set()


def test_every_metric_is_on_the_dashboard_or_in_a_rule() -> None:
    asked = names_in(expressions(json.loads(DASHBOARD.read_text())) + expressions(yaml.safe_load(ALERTS.read_text())))
    assert {family.shown for family in FAMILIES} - {name.removesuffix("_bucket") for name in asked} == set()


def test_labels_in_queries_are_those_of_their_metrics() -> None:
    labels_by_name = {family.shown: set(family.labels) for family in FAMILIES}
    own = {"job", "instance", "le"}
    queries = expressions(json.loads(DASHBOARD.read_text())) + expressions(yaml.safe_load(ALERTS.read_text()))
    for query in queries:
        for name, selector in re.findall(r"(wampgate_\w+)\{([^}]*)\}", query):
            used = set(re.findall(r"(\w+)\s*(?:=~|!=|=|!~)", selector))
            assert used <= labels_by_name[name.removesuffix("_bucket")] | own, query


def test_the_dashboard_can_be_provisioned() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["uid"] == "wampgate"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or all(target["expr"] for target in panel["targets"])
        place = panel["gridPos"]
        assert 0 <= place["x"] <= 24 - place["w"]
    assert "__inputs" not in dashboard, "that is for imports by hand; a provisioned dashboard must not ask"
    (provider,) = yaml.safe_load((MONITORING / "grafana/provisioning/dashboards/wampgate.yml").read_text())["providers"]
    assert provider["type"] == "file"


def test_rules_say_how_urgent_they_are_and_what_to_do() -> None:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    for alert in group["rules"]:
        assert alert["labels"]["severity"] in ("page", "ticket"), alert
        assert set(alert["annotations"]) == {"summary", "description"}, alert
        for page in re.findall(r"docs/[\w-]+\.md", alert["annotations"]["description"]):
            assert (ROOT / page).exists(), page


def test_promtool_takes_the_rules_and_the_configuration() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    for arguments in (["rules", str(ALERTS)], ["config", str(MONITORING / "prometheus.yml")]):
        found = subprocess.run([promtool, "check", *arguments], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
