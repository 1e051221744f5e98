"""Decides who may join and what they may do, by a file of people: python decide.py URL TICKET PEOPLE.json.

PEOPLE.json: {"ann": {"ticket": "…", "rooms": ["red", "blue"]}}. When the file changes, what people
are no longer allowed is taken from them. router.json: examples/router/dynamic.json.
"""

import hmac
import json
import sys
from pathlib import Path

from autobahn.twisted.component import Component, run
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

url, ticket, file = sys.argv[1:]

component = Component(
    transports=url,
    realm="realm1",
    authentication={"ticket": {"authid": "decider", "ticket": ticket}},
)

people = {}


def read():
    """The file's people; those of before while it is half written."""
    try:
        return json.loads(Path(file).read_text())
    except (OSError, ValueError):
        return people


@component.register("com.example.authenticate")
def authenticate(_realm, _authid, details):
    """Who shows a ticket: null for nobody."""
    shown = details["ticket"].encode()
    for name, person in people.items():
        if hmac.compare_digest(shown, person["ticket"].encode()):
            return {"authid": name, "role": "member", "user": name, "expires_in": 8 * 3600}
    return None


@component.register("com.example.authorize")
def authorize(session, uri, action, options):
    """Whether someone may use a room. A pattern would reach further than one room."""
    rooms = people.get(session["authid"], {}).get("rooms", [])
    mine = not options and uri in [f"room.{room}" for room in rooms]
    return {"allow": mine and action in ("subscribe", "publish")}


@component.on_join
async def joined(session, details):
    """Look at the file now and then, and tell the router whose rights have changed."""
    print(f"{details.authid} decides", flush=True)

    async def look():
        global people
        before, people = people, read()
        for name in before:
            if before[name] != people.get(name):
                count = await session.call("wampgate.authorization.forget", authid=name)
                print(f"the rights of {name} have changed: {count} sessions", flush=True)

    watch = LoopingCall(lambda: Deferred.fromCoroutine(look()))
    session.on("leave", lambda *_: watch.stop())
    watch.start(0.5)


if __name__ == "__main__":
    people = read()
    run([component])
