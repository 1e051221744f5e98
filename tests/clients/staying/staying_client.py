"""A program on ``wampgate.client``, on asyncio or Twisted as FRAMEWORK says: takes commands, tells what it sees.

Both are lines of JSON. The token is read from TOKEN_FILE whenever one is wanted, or is TOKEN for good; COUNT says how
many sessions are opened, SETTINGS how.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMEWORK = os.environ["FRAMEWORK"]
client = importlib.import_module(f"wampgate.client.{FRAMEWORK}")
COUNT = int(os.environ.get("COUNT", "1"))
SETTINGS = json.loads(os.environ.get("SETTINGS", "{}"))
subscriptions: dict[str, Any] = {}


def tell(*what: Any) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def token() -> str:
    with open(os.environ["TOKEN_FILE"]) as file:
        text = file.read().strip()
    tell("fetched", text)
    return text


async def token_later() -> str:
    return token()


def on_state(state: Any) -> None:
    tell("state", state.name, state.reason, round(state.retry_in, 4))


def handler(name: str) -> Callable[[Any], object]:
    def plain(event: Any) -> None:
        tell("event", name, event.topic, *event.args, event.kwargs, event.recovered)
        if event.kwargs.get("fail"):
            raise ValueError("the application's mistake")

    async def coroutine(event: Any) -> None:
        plain(event)

    return coroutine if name.endswith("?") else plain


async def perform(session: Any, verb: str, *args: Any) -> Any:
    """One command; its result."""
    if verb == "subscribe":
        name, topic, options = args
        if "after" in options:
            options["after"] = client.Position(*options["after"])
        subscriptions[name] = await session.subscribe(
            topic,
            handler(name),
            on_gap=lambda gap: tell("gap", name, gap.why, gap.dropped),
            on_lost=lambda lost: tell("lost", name, lost.topic, lost.reason, lost.message),
            **options,
        )
        return None
    if verb == "unsubscribe":
        await subscriptions.pop(args[0]).unsubscribe()
        return None
    if verb == "position":
        position = subscriptions[args[0]].position
        return [position.publication, position.epoch]
    if verb == "retry":
        return session.retry()
    if verb == "close":
        return await session.close()
    result = await getattr(session, verb)(*args)
    return getattr(result, "kwresults", result)


async def answer(session: Any, number: int, command: list[Any]) -> None:
    try:
        tell("answer", number, await perform(session, *command))
    except Exception as error:  # noqa: BLE001 - the test decides what is right
        reason = getattr(error, "error", None) or getattr(error, "reason", None)
        tell("refused", number, reason or type(error).__name__, str(error))


async def main(start: Callable[[Any], None], hand_over: Callable[[Callable[[], None]], object]) -> None:
    fixed = os.environ.get("TOKEN")
    source = fixed or (token_later if COUNT > 1 else token)
    sessions = [
        client.connect(os.environ["URL"], realm="realm1", token=source, on_state=on_state, **SETTINGS)
        for _ in range(COUNT)
    ]
    try:
        for session in sessions:
            await session.__aenter__()
    except client.Closed as closed:
        tell("never", closed.reason, closed.message)
        return
    tell("here")

    def read() -> None:
        for number, line in enumerate(sys.stdin):
            hand_over(lambda number=number, line=line: start(answer(sessions[0], number, json.loads(line))))

    threading.Thread(target=read, daemon=True).start()
    for session in sessions:
        await session.wait_closed()
    tell(
        "over",
        *sorted(name.partition(".")[0] for name in sys.modules if name in ("twisted", "asyncio", "wampgate.core")),
    )


def run_asyncio() -> None:
    import asyncio

    async def run() -> None:
        loop = asyncio.get_running_loop()
        tasks: set[Any] = set()
        await main(lambda work: tasks.add(loop.create_task(work)), loop.call_soon_threadsafe)

    asyncio.run(run())


def run_twisted() -> None:
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    react(lambda reactor: Deferred.fromCoroutine(main(Deferred.fromCoroutine, reactor.callFromThread)))


if __name__ == "__main__":
    run_asyncio() if FRAMEWORK == "asyncio" else run_twisted()
