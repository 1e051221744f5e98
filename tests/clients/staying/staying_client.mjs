/** A program on `live.js`, over autobahn-js or wamp.js as FRAMEWORK says: the same as staying_client.py, for the same tests. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { live } from "../../../wampgate/http/page/live.js";
import { overAutobahn, overWamp } from "../../../wampgate/http/page/live_links.js";
import { connect } from "../../../wampgate/http/page/wamp.js";

const require = createRequire(process.env.NPM_FOLDER);
const { WebSocket } = require("ws");
const { FRAMEWORK, URL: url, TOKEN, TOKEN_FILE, COUNT, SETTINGS } = process.env;
const { first, longest } = JSON.parse(SETTINGS);
const tell = (...what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const address = { url, realm: "realm1" };
const open = FRAMEWORK === "wamp.js" ? overWamp(connect, { ...address, WebSocket }) : overAutobahn(require("autobahn"), address);
const subscriptions = {};

async function fetchToken() {
  const text = (await readFile(TOKEN_FILE, "utf8")).trim();
  tell("fetched", text);
  return text;
}

let closed = 0;
function onstate({ name, reason, retryIn }) {
  tell("state", name, reason, retryIn / 1000);
  if (name !== "closed" || ++closed < Number(COUNT)) return;
  setImmediate(() => {
    tell("over");
    process.exit(0);
  });
}

const verbs = {
  async subscribe(session, name, topic, options) {
    const handler = (args, kwargs, details) => {
      tell("event", name, details.topic, ...args, kwargs, "timestamp" in details);
      if (kwargs.fail) throw Object.assign(new Error("the application's mistake"), { name: "ValueError" });
    };
    subscriptions[name] = await session.subscribe(topic, name.endsWith("?") ? async (...event) => handler(...event) : handler, {
      ...options,
      ongap: ({ why, dropped }) => tell("gap", name, why, dropped ?? null),
      onlost: (lost) => tell("lost", name, lost.topic, lost.reason, lost.message),
    });
  },
  async unsubscribe(session, name) {
    await subscriptions[name].unsubscribe();
  },
  publish: (session, topic, ...args) => session.publish(topic, args),
  call: async (session, procedure, ...args) => (await session.call(procedure, args)).kwargs,
  retry: (session) => session.retry(),
  close: (session) => session.close(),
};

const sessions = Array.from({ length: Number(COUNT) }, () =>
  live({ open, token: TOKEN ?? fetchToken, retry: { first: first * 1000, longest: longest * 1000 }, onstate }));
try {
  for (const session of sessions) await session.joined();
  tell("here");
} catch (error) {
  tell("never", error.uri, error.message);
}
let number = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...args] = JSON.parse(line);
  const mine = number++;
  Promise.resolve(verbs[verb](sessions[0], ...args)).then(
    (result) => tell("answer", mine, result ?? null),
    (error) => tell("refused", mine, error.uri ?? error.error ?? String(error), String(error.message ?? error.args)),
  );
}
