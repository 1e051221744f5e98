"""Prints an organization's news and stays, on asyncio: python staying.py URL TOKEN_FILE ORGANIZATION."""

import asyncio
import sys
from pathlib import Path

from wampgate.client.asyncio import Closed, connect

url, token_file, organization = sys.argv[1:]


def fetch_token():
    """Wherever fresh tokens come from, a coroutine too: for each connection, and before the token shown ends."""
    return Path(token_file).read_text().strip()


def show(event):
    """One event; those that were published while there was no connection come too, each once."""
    print(event.args, event.kwargs, flush=True)


async def main():
    """Listen until the router says that it is over."""
    async with connect(url, realm="realm1", token=fetch_token, on_state=lambda state: print(state.name)) as session:
        await session.subscribe(
            f"organization.{organization}",
            show,
            on_gap=lambda gap: print(f"some news may be missing: {gap.why}"),
            on_lost=lambda lost: print(f"no longer allowed: {lost.reason}"),
        )
        print("up to date", flush=True)
        ended = await session.wait_closed()
        print(f"over: {ended.message} ({ended.reason})")


try:
    asyncio.run(main())
except Closed as refused:
    sys.exit(f"not let in: {refused}")
