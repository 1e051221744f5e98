// Prints an organization's news and misses none, with stock autobahn-js: node recover.js URL TOKEN ORGANIZATION
"use strict";

/** One topic or pattern across reconnects: `handler(event)` gets each event once, `missed()` is told of a gap. */
class Recovering {
  constructor(topic, handler, missed, match = "exact") {
    Object.assign(this, { topic, handler, missed, match, position: null, epoch: null, seen: new Set(), buffer: null });
  }

  /** To be called on each join: subscribe, buffer what comes, ask for what was missed, then go on. */
  async subscribe(session) {
    const known = this.epoch !== null;
    const buffer = (this.buffer = []);
    await session.subscribe(this.topic, (...event) => this.#live(...event), { match: this.match });
    for (let more = true; more; ) {
      const ask = { after_publication: this.position, epoch: this.epoch, limit: known ? 1000 : 0 };
      const { kwargs: page } = await session.call("wampgate.history.recover", [this.topic, this.match], ask);
      if (known && !page.recovered) this.missed();
      for (const event of page.events) this.#handOver(event);
      this.position = page.position;
      this.epoch = page.epoch;
      more = known && page.more;
    }
    this.buffer = null;
    for (const event of buffer) this.#handOver(event);
  }

  #live(args, kwargs, { publication, topic }) {
    const event = { topic: topic || this.topic, publication, args: args ?? [], kwargs: kwargs ?? {} };
    if (this.buffer) this.buffer.push(event);
    else this.#handOver(event);
  }

  #handOver(event) {
    const key = `${event.publication} ${event.topic}`;
    if (this.seen.has(key)) return;
    if (this.seen.add(key).size > 20_000) this.seen.delete(this.seen.values().next().value);
    this.position = event.publication;
    this.handler(event);
  }
}

if (require.main === module) {
  const autobahn = require("autobahn");
  const [url, token, organization] = process.argv.slice(2);
  const connection = new autobahn.Connection({
    url, realm: "realm1", authmethods: ["ticket"], onchallenge: () => token, initial_retry_delay: 0.2,
  });
  const print = ({ args, kwargs }) => console.log(JSON.stringify({ args, kwargs }));
  const news = new Recovering(`organization.${organization}`, print, () => console.log("some news are lost"));
  connection.onopen = (session) =>
    news.subscribe(session).then(() => console.log("up to date"), (error) => console.log(error.error ?? String(error)));
  connection.open();
}

module.exports = { Recovering };
