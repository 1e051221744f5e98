"""Publishes one piece of news as a backend: python publish.py URL AUTHID TICKET ORGANIZATION TEXT."""

import sys

from autobahn.twisted.component import Component, run

url, authid, ticket, organization, text = sys.argv[1:]

component = Component(
    transports=url,
    realm="realm1",
    authentication={"ticket": {"authid": authid, "ticket": ticket}},
)


@component.on_join
async def joined(session, _details):
    """Publish and leave; the router's answer is the publication's id."""
    publication = await session.call("wampgate.publish", f"organization.{organization}", [text])
    print(f"published as {publication}", flush=True)
    session.leave()


if __name__ == "__main__":
    run([component])
