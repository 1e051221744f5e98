/** The example's Recovering with stock autobahn-js, and our own client, side by side: a line of JSON for each event. */

import { createRequire } from "node:module";
import { connect } from "../../../wampgate/http/page/wamp.js";

const require = createRequire(process.env.NPM_FOLDER);
const autobahn = require("autobahn");
const { WebSocket } = require("ws");
const { Recovering } = createRequire(import.meta.url)("../../../examples/node/recover.js");
const { PORT, TOPIC, MATCH, AUTHID, TICKET } = process.env;
const url = `ws://127.0.0.1:${PORT}/ws`;
const tell = (...line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const connection = new autobahn.Connection({
  url, realm: "realm1", authmethods: ["ticket"], authid: AUTHID, onchallenge: () => TICKET,
  max_retries: 100, initial_retry_delay: 0.6, max_retry_delay: 0.8,
});
const stock = new Recovering(TOPIC, ({ args }) => tell("stock", "event", ...args), () => tell("stock", "missed"), MATCH);
connection.onopen = (session) => stock.subscribe(session).then(() => tell("stock", "current"), () => {});
connection.onclose = () => false;
connection.open();

const own = connect({ url, realm: "realm1", ticket: TICKET, authid: AUTHID, WebSocket, retry: { first: 600, longest: 800 } });
own.addEventListener("missed", () => tell("own", "missed"));
own.subscribe(TOPIC, (args) => tell("own", "event", ...args), { recover: true, match: MATCH }).then(() => tell("own", "current"));
