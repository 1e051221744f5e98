/** A crowd of stock autobahn-js sessions, each of which comes back by itself; a line of JSON for each thing that happens. */

import { createRequire } from "node:module";

const autobahn = createRequire(process.env.NPM_FOLDER)("autobahn");
const { PORT, COUNT, TICKET } = process.env;
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

for (let number = 0; number < Number(COUNT); number += 1) {
  const connection = new autobahn.Connection({
    url: `ws://127.0.0.1:${PORT}/ws`,
    realm: "realm1",
    authmethods: ["ticket"],
    onchallenge: () => TICKET,
    max_retries: -1,
    initial_retry_delay: 0.3,
    max_retry_delay: 1,
  });
  connection.onopen = (session) => {
    session.subscribe("organization.7", () => tell(["event", number])).then(() => tell(["subscribed", number]));
  };
  connection.onclose = (reason, details) => {
    tell(["closed", number, details.reason ?? null, Boolean(details.will_retry)]);
    return false;
  };
  connection.open();
}
