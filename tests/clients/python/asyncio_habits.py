"""Stock Autobahn Python on asyncio, as its users write it, against the router at PORT: prints what came of it as JSON.

KIND is ``websocket`` or ``rawsocket``, SERIALIZER what is spoken; TICKETS and the other credentials come as JSON.
"""

# Autobahn carries no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from autobahn.asyncio.component import Component, run
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions

KIND, SERIALIZER, PORT = (os.environ[name] for name in ("KIND", "SERIALIZER", "PORT"))
AUTHENTICATIONS = json.loads(os.environ["AUTHENTICATIONS"])
NAME = f"com.example.open.asyncio_{os.getpid()}"
found: dict[str, Any] = {"heard": [], "progress": []}


def transports() -> list[dict[str, Any]]:
    """Where the router is; without a second try."""
    if KIND == "rawsocket":
        return [{"type": KIND, "url": f"rs://127.0.0.1:{PORT}", "serializer": SERIALIZER, "max_retries": 0}]
    return [{"type": KIND, "url": f"ws://127.0.0.1:{PORT}/ws", "serializers": [SERIALIZER], "max_retries": 0}]


def component(authentication: Any) -> Any:
    """A component of the realm."""
    return Component(transports=transports(), realm="realm1", authentication=authentication)


callee = component(AUTHENTICATIONS["callee"])
caller = component(AUTHENTICATIONS["caller"])
ready = asyncio.Event()
stopped = asyncio.Event()
heard = asyncio.Event()


@callee.register(f"{NAME}.count", options=RegisterOptions(details_arg="details"))
async def count(most: int, details: Any = None) -> list[Any]:
    """Tells how far it is, and who wanted it."""
    for number in range(most):
        details.progress(number)
        await asyncio.sleep(0)
    return [details.caller_authid, details.caller_authrole]


@callee.register(f"{NAME}.fail")
def fail() -> None:
    """Never succeeds."""
    raise ApplicationError("com.example.error", "why", detail=[1])


@callee.register(f"{NAME}.work")
async def work() -> None:
    """Goes on until it is canceled."""
    try:
        await asyncio.sleep(60)
    finally:
        stopped.set()


@callee.subscribe(f"{NAME}.news", options=SubscribeOptions(match="prefix", details=True))
async def news(*args: Any, details: Any = None, **kwargs: Any) -> None:
    """One event."""
    found["heard"].append([args, kwargs, details.topic.removeprefix(NAME), details.publisher_authid])
    heard.set()


@callee.on_ready
def offered(_session: Any) -> None:
    """All of the above is there."""
    ready.set()


@caller.on_join
async def joined(session: Any, details: Any) -> None:
    """Use it all, leave, and let the other one leave too."""
    await ready.wait()
    found["joined"] = [details.authid, details.authrole, details.authmethod]
    options = CallOptions(on_progress=found["progress"].append)
    found["result"] = await session.call(f"{NAME}.count", 5, options=options)
    found["error"] = await refusal(session.call(f"{NAME}.fail"))
    call = session.call(f"{NAME}.work")
    await asyncio.sleep(0.1)
    call.cancel()
    await asyncio.wait_for(stopped.wait(), 10)
    stopped.clear()
    found["late"] = await refusal(session.call(f"{NAME}.work", options=CallOptions(timeout=200)))
    await asyncio.wait_for(stopped.wait(), 10)
    publication = await session.publish(f"{NAME}.news.one", 1, k=None, options=PublishOptions(acknowledge=True))
    found["published"] = publication.id > 0
    sessions = await session.call("wamp.session.list")
    found["here"] = details.session in sessions and await session.call("wamp.session.count") == len(sessions)
    await asyncio.wait_for(heard.wait(), 10)
    session.leave()
    callee.stop()


async def refusal(answer: Any) -> list[Any]:
    """What an error says."""
    try:
        await answer
    except ApplicationError as error:
        return [error.error, list(error.args), error.kwargs]
    return []


if __name__ == "__main__":
    run([callee, caller], log_level=None)
    print(json.dumps(found), flush=True)  # noqa: T201 - it is what the test reads
