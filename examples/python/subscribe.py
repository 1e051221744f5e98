"""Prints an organization's news: python subscribe.py URL AUTHID TOKEN ORGANIZATION."""

import sys

from autobahn.twisted.component import Component, run

url, authid, token, organization = sys.argv[1:]

component = Component(
    transports=url,
    realm="realm1",
    authentication={"ticket": {"authid": authid, "ticket": token}},
)


@component.on_join
async def joined(session, details):
    """Subscribe anew after each reconnect: a new session holds nothing of the old one."""
    await session.subscribe(news, f"organization.{organization}")
    print(f"{details.authid} listens to organization.{organization}", flush=True)


def news(*args, **kwargs):
    """One event."""
    print(args, kwargs, flush=True)


if __name__ == "__main__":
    run([component])
