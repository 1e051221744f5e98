"""A hook of Schemathesis: its requests bear no idempotency keys, since it uses a key again with another body: 422."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_load_schema(_context: Any, document: dict[str, Any]) -> None:
    """Take the header out of the document."""
    for path in document["paths"].values():
        del path["post"]["parameters"]
