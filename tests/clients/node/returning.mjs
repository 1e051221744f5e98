/** A stock autobahn-js subscriber that comes back by itself; a line of JSON for each thing that happens to it. */

import { createRequire } from "node:module";

const autobahn = createRequire(process.env.NPM_FOLDER)("autobahn");
const { PORT, TOPIC, AUTHID, TICKET } = process.env;
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const connection = new autobahn.Connection({
  url: `ws://127.0.0.1:${PORT}/ws`,
  realm: "realm1",
  authmethods: ["ticket"],
  authid: AUTHID,
  onchallenge: () => TICKET,
  max_retries: 100,
  initial_retry_delay: 0.2,
  max_retry_delay: 0.5,
});
connection.onopen = async (session) => {
  await session.subscribe(TOPIC, (args) => tell(["event", ...args]));
  tell(["subscribed"]);
};
connection.onclose = (reason, details) => {
  tell(["closed", reason, details.reason, Boolean(details.will_retry)]);
  return false;
};
connection.open();
