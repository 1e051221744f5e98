/** A stock autobahn-js session that subscribes to some topics; a line of JSON for each thing that happens to it. */

import { createRequire } from "node:module";

const autobahn = createRequire(process.env.NPM_FOLDER)("autobahn");
const { PORT, TOPICS, AUTHID, TICKET } = process.env;
const tell = (...line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const connection = new autobahn.Connection({
  url: `ws://127.0.0.1:${PORT}/ws`,
  realm: "realm1",
  authmethods: ["ticket"],
  authid: AUTHID,
  onchallenge: () => TICKET,
});
connection.onopen = async (session) => {
  for (const topic of JSON.parse(TOPICS)) {
    await session.subscribe(topic, (args, kwargs) => tell(topic, args ?? [], kwargs ?? {}));
  }
  tell("subscribed");
};
connection.onclose = (reason, details) => {
  tell("closed", reason, details.reason);
  return true;
};
connection.open();
