"""Prints an organization's news and misses none: python recover.py URL AUTHID TOKEN ORGANIZATION."""

import sys

from autobahn.twisted.component import Component, run
from autobahn.wamp.types import SubscribeOptions


class Recovering:
    """One topic or pattern across reconnects: `handler(event)` gets each event once, `missed()` is told of a gap."""

    def __init__(self, topic, handler, missed, match="exact"):
        self.topic, self.match, self.handler, self.missed = topic, match, handler, missed
        self.position, self.epoch, self.seen, self.buffer = None, None, {}, None

    async def subscribe(self, session):
        """To be called on each join: subscribe, buffer what comes, ask for what was missed, then go on."""
        self.buffer, known, more = [], self.epoch is not None, True
        options = SubscribeOptions(match=self.match, details=True)
        await session.subscribe(self._live, self.topic, options=options)
        while more:
            ask = {"after_publication": self.position, "epoch": self.epoch, "limit": 1000 if known else 0}
            page = (await session.call("wampgate.history.recover", self.topic, self.match, **ask)).kwresults
            if known and not page["recovered"]:
                self.missed()
            for event in page["events"]:
                self._hand_over(event)
            self.position, self.epoch, more = page["position"], page["epoch"], known and page["more"]
        buffered, self.buffer = self.buffer, None
        for event in buffered:
            self._hand_over(event)

    def _live(self, *args, details, **kwargs):
        topic = details.topic or self.topic
        event = {"topic": topic, "publication": details.publication, "args": args, "kwargs": kwargs}
        self._hand_over(event) if self.buffer is None else self.buffer.append(event)

    def _hand_over(self, event):
        key = (event["topic"], event["publication"])
        if key not in self.seen:
            self.seen[key], self.position = True, event["publication"]
            self.handler(event)
        if len(self.seen) > 20_000:
            del self.seen[next(iter(self.seen))]


def main(url, authid, token, organization):
    """Print events until the process ends."""
    authentication = {"ticket": {"authid": authid, "ticket": token}}
    component = Component(transports=url, realm="realm1", authentication=authentication)
    news = Recovering(f"organization.{organization}", lambda e: print(e["args"], e["kwargs"]), lambda: print("gap"))
    component.on_join(lambda session, _: news.subscribe(session))
    run([component])


if __name__ == "__main__":
    main(*sys.argv[1:])
