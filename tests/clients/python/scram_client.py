"""Stock Autobahn Python as the user bahn of the router at URL, by scram with PASSWORD: prints what came of it."""

from __future__ import annotations

import json
import os
from typing import Any

from autobahn.twisted.component import Component, run

component = Component(
    transports=[{"type": "websocket", "url": os.environ["URL"], "max_retries": 0}],
    realm="realm1",
    authentication={"scram": {"authid": "bahn", "password": os.environ["PASSWORD"]}},
)


@component.on_join
def joined(session: Any, details: Any) -> None:
    """It is in; so was the router's own signature the right one, or it would have left."""
    print(json.dumps([details.authid, details.authmethod]), flush=True)  # noqa: T201 - it is what the test reads
    session.leave()


@component.on_leave
def left(session: Any, details: Any) -> None:
    """It is out, before or after it was in."""
    if details.reason.startswith("wamp.error."):
        print(json.dumps(details.reason), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    run([component], log_level=None)
