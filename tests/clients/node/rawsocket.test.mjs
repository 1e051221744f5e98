/** Stock autobahn-js in Node over RawSocket, which it speaks in JSON only: by PORT, and by the Unix socket at SOCKET. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, test } from "node:test";

const autobahn = createRequire(process.env.NPM_FOLDER)("autobahn");
const { PORT, SOCKET } = process.env;
const connections = [];
let names = 0;

function name() {
  names += 1;
  return `com.example.node_rawsocket_${process.pid}_${names}`;
}

function join(authid, transport, ticket = `the-ticket-of-${authid}`) {
  return new Promise((resolve, reject) => {
    const connection = new autobahn.Connection({
      transports: [{ type: "rawsocket", ...transport }],
      realm: "realm1",
      authmethods: ["ticket"],
      authid,
      onchallenge: () => ticket,
      max_retries: 0,
    });
    connections.push(connection);
    connection.onopen = (session, details) => resolve({ session, details, connection });
    connection.onclose = (reason, details) => {
      reject(Object.assign(new Error(reason), { details }));
      return true;
    };
    connection.open();
  });
}

after(() => connections.filter((one) => one.isOpen).forEach((one) => one.close()));

const ways = { "a port": { host: "127.0.0.1", port: Number(PORT) }, "a Unix socket": { path: SOCKET } };

for (const [way, transport] of Object.entries(ways)) {
  test(`events and calls by ${way}`, async () => {
    const alice = await join("alice", transport);
    const bob = await join("bob", transport);
    assert.equal(alice.details.authid, "alice");
    const topic = name();
    const received = [];
    let done;
    const all = new Promise((resolve) => (done = resolve));
    await bob.session.subscribe(topic, (args, kwargs) => {
      received.push([args, kwargs]);
      if (received.length === 100) done();
    });
    for (let number = 0; number < 99; number += 1) alice.session.publish(topic, [number]);
    await alice.session.publish(topic, ["x".repeat(200_000)], { last: true }, { acknowledge: true });
    await all;
    assert.deepEqual(received.slice(0, 99).map(([args]) => args[0]), [...Array(99).keys()]);
    assert.equal(received[99][0][0].length, 200_000);
    assert.equal(received[99][1].last, true);
    const procedure = name();
    await bob.session.register(procedure, ([one, other]) => one + other);
    assert.equal(await alice.session.call(procedure, [2, 3]), 5);
    await assert.rejects(
      () => alice.session.subscribe("organization.7", () => {}),
      (error) => error.error === "wamp.error.not_authorized",
    );
    await new Promise((resolve) => {
      alice.connection.onclose = (_reason, details) => resolve(assert.equal(details.reason, "wamp.close.goodbye_and_out"));
      alice.connection.close();
    });
  });
}

test("who may not join learns why", async () => {
  await assert.rejects(
    () => join("alice", ways["a port"], "a wrong one"),
    (error) => error.details.reason === "wamp.error.authentication_denied",
  );
});
