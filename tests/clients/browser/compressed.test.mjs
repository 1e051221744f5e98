/** Compression in a real Chromium, whose every WebSocket offers it, on the router at PORT. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as dial, createServer } from "node:net";
import { after, before, test } from "node:test";
import { Browser } from "./browser.mjs";

let browser, front;
const LONG = Array.from({ length: 3000 }, (_, number) => `${number * 7919} é€😀 `).join("");

/** Passes connections on to the router, and counts what went each way. */
async function startFront() {
  const server = createServer((client) => {
    const upstream = dial(Number(process.env.PORT), "127.0.0.1");
    client.on("data", (data) => (server.sent += data.length));
    upstream.on("data", (data) => (server.received += data.length));
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.pipe(to);
      from.on("error", () => to.destroy());
    }
  }).listen(0, "127.0.0.1");
  Object.assign(server, { sent: 0, received: 0 });
  await once(server, "listening");
  server.origin = `http://127.0.0.1:${server.address().port}`;
  return server;
}

before(async () => {
  [browser, front] = await Promise.all([Browser.start(), startFront()]);
});

after(async () => {
  await browser?.stop();
  front?.close();
});

test("messages go compressed both ways and arrive as they were", async () => {
  const page = await browser.page(front.origin);
  await page.goto(`${front.origin}/`);
  const [sent, received] = [front.sent, front.received];
  const result = await page.evaluate(async ({ url, long }) => {
    const socket = new WebSocket(url, ["wamp.2.json"]);
    const waiting = [];
    const readers = [];
    socket.onmessage = ({ data }) => (readers.length ? readers.shift()(JSON.parse(data)) : waiting.push(JSON.parse(data)));
    socket.onclose = ({ code, reason }) => readers.forEach((reader) => reader([code, reason]));
    const next = () => (waiting.length ? waiting.shift() : new Promise((resolve) => readers.push(resolve)));
    const send = (...message) => socket.send(JSON.stringify(message));
    await new Promise((resolve, reject) => ([socket.onopen, socket.onerror] = [resolve, reject]));
    send(1, "realm1", { authmethods: ["ticket"], roles: { publisher: {}, subscriber: {} } });
    await next();
    send(5, "the-ticket-of-alice", {});
    await next();
    send(32, 1, {}, "com.example.chromium");
    await next();
    const events = [];
    for (let number = 2; number < 12; number += 1) {
      send(16, number, { exclude_me: false }, "com.example.chromium", [number, number % 2 ? long : "short"]);
      events.push((await next())[4]);
    }
    socket.close();
    return { extensions: socket.extensions, events };
  }, { url: `${front.origin.replace("http", "ws")}/ws`, long: LONG });
  assert.equal(result.extensions, "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  assert.deepEqual(result.events, Array.from({ length: 10 }, (_, at) => [at + 2, at % 2 ? LONG : "short"]));
  const size = 5 * Buffer.byteLength(LONG);
  assert.ok(front.sent - sent < size / 2, `${front.sent - sent} bytes were sent`);
  assert.ok(front.received - received < size / 2, `${front.received - received} bytes were received`);
  assert.deepEqual(page.faults, []);
});
