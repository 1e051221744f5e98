"""Prints an organization's news and stays, on Twisted: python staying_twisted.py URL TOKEN ORGANIZATION."""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from wampgate.client.twisted import connect

url, token, organization = sys.argv[1:]


async def main():
    """Listen until the router says that it is over."""
    async with connect(url, realm="realm1", token=token) as session:
        await session.subscribe(f"organization.{organization}", lambda event: print(event.args, flush=True))
        print("up to date", flush=True)
        ended = await session.wait_closed()
        print(f"over: {ended.message} ({ended.reason})")


react(lambda _reactor: Deferred.fromCoroutine(main()))
