/** Compression with the `ws` package, as Node's clients have it: what is agreed on, and messages both ways. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { once } from "node:events";
import { after, test } from "node:test";

const { WebSocket } = createRequire(process.env.NPM_FOLDER)("ws");
const URL = `ws://127.0.0.1:${process.env.PORT}/ws`;
const LONG = Array.from({ length: 3000 }, (_, number) => `${number * 7919} é€😀 `).join("");
const sockets = [];

after(() => sockets.forEach((socket) => socket.close()));

/** A session that speaks JSON, its messages as they come, and how many bytes came on its connection. */
async function join(authid, perMessageDeflate) {
  const socket = new WebSocket(URL, ["wamp.2.json"], { perMessageDeflate });
  sockets.push(socket);
  const waiting = [];
  const readers = [];
  socket.on("message", (data) => {
    const message = JSON.parse(data.toString());
    readers.length ? readers.shift()(message) : waiting.push(message);
  });
  const peer = {
    socket,
    send: (...message) => socket.send(JSON.stringify(message)),
    next: () => (waiting.length ? Promise.resolve(waiting.shift()) : new Promise((resolve) => readers.push(resolve))),
    read: () => socket._socket.bytesRead,
    wrote: () => socket._socket.bytesWritten,
  };
  await once(socket, "open");
  peer.send(1, "realm1", { authmethods: ["ticket"], roles: { publisher: {}, subscriber: {}, caller: {} } });
  assert.equal((await peer.next())[0], 4);
  peer.send(5, `the-ticket-of-${authid}`, {});
  assert.equal((await peer.next())[0], 2);
  return peer;
}

/** What the answer said of compression, as `ws` has understood it. */
function agreedBy(socket) {
  const { params } = socket._extensions["permessage-deflate"];
  const parts = Object.entries(params).map(([name, value]) => (value === true ? name : `${name}=${value}`));
  return ["permessage-deflate", ...parts].join("; ");
}

const KINDS = {
  "as it is by default": [true, /server_no_context_takeover; client_no_context_takeover$/],
  "with a small window": [{ serverMaxWindowBits: 10 }, /server_max_window_bits=9$/],
  "with hints of its own": [{ clientMaxWindowBits: 10, clientNoContextTakeover: true, serverNoContextTakeover: true }, /^permessage-deflate/],
};

for (const [kind, [options, answer]] of Object.entries(KINDS)) {
  test(`compressed ${kind}`, async () => {
    const topic = `com.example.node_ws_${process.pid}_${kind.length}`;
    const [alice, bob, plain] = await Promise.all([join("alice", options), join("bob", options), join("bob", false)]);
    assert.match(bob.socket.extensions, /permessage-deflate/);
    assert.match(agreedBy(bob.socket), answer);
    assert.equal(plain.socket.extensions, "");
    for (const peer of [bob, plain]) {
      peer.send(32, 1, {}, topic);
      assert.equal((await peer.next())[0], 33);
    }
    const before = [bob.read(), plain.read(), alice.wrote()];
    for (let number = 1; number <= 5; number += 1) {
      alice.send(16, number, {}, topic, [number, LONG]);
      alice.send(16, number + 100, {}, topic, ["short"]);
    }
    for (const peer of [bob, plain]) {
      for (let number = 1; number <= 5; number += 1) {
        assert.deepEqual((await peer.next())[4], [number, LONG]);
        assert.deepEqual((await peer.next())[4], ["short"]);
      }
    }
    const size = 5 * Buffer.byteLength(LONG);
    assert.ok(bob.read() - before[0] < size / 2, "events came compressed");
    assert.ok(plain.read() - before[1] > size, "events came plain");
    assert.ok(alice.wrote() - before[2] < size / 2, "publications left compressed");
  });
}
