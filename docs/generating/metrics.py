"""The reference of the metrics, from the table by which they are exposed."""

from __future__ import annotations

from typing import Final

from docs.generating.markdown import prose, table
from wampgate.observation.metric_families import FAMILIES

BEGINNING: Final = """# Metrics

Every metric of `GET /metrics`, by the name that queries have. [metrics.md](../metrics.md) tells where they are
served, and has dashboards and alerts. A histogram has `_bucket`, `_count` and `_sum` behind its name. The values of
labels are the router's own words or the operator's, never a client's.
"""


def page() -> str:
    """The page."""
    rows = [
        [f"`{each.shown}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), prose(each.text)]
        for each in FAMILIES
    ]
    return f"{BEGINNING}\n{table(('metric', 'kind', 'labels', 'meaning'), rows)}"
