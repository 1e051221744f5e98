"""YAML on the pages can be read, and is of a kind that is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documentation.elsewhere import left

if TYPE_CHECKING:
    from documentation.blocks import Block

KINDS = {
    "Prometheus": {"scrape_configs", "rule_files", "global", "alerting", "groups"},
    "Kubernetes": {"apiVersion", "kind", "livenessProbe", "readinessProbe", "startupProbe", "spec", "containers"},
    "Compose": {"services", "volumes", "networks"},
}


@pytest.mark.parametrize("block", left("yaml"), ids=lambda block: block.where)
def test_it_is_yaml_of_a_known_kind(block: Block) -> None:
    yaml = pytest.importorskip("yaml", reason="THE YAML OF THE PAGES WAS NOT READ: the package pyyaml is missing")
    for document in yaml.safe_load_all(block.text):
        assert isinstance(document, dict)
        assert any(document.keys() & keys for keys in KINDS.values()), sorted(document)
