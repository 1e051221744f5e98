/** A page with stock autobahn-js in a real Chromium, on a web server in front of the router at PORT. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect as dial } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser } from "./browser.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const FILES = {
  "autobahn.min.js": join(process.env.NPM_FOLDER, "node_modules/autobahn-browser/autobahn.min.js"),
  "habits.html": join(HERE, "habits.html"),
  "habits_page.js": join(HERE, "habits_page.js"),
};
const TYPES = { html: "text/html", js: "text/javascript" };

let browser, front;

/** A web server that has the files and passes upgrades on, as a proxy in front of a router does. */
async function startFront() {
  const server = createServer(async (request, response) => {
    const name = new URL(request.url, "http://front").pathname.slice(1);
    if (!Object.hasOwn(FILES, name)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[name.split(".").at(-1)] }).end(await readFile(FILES[name]));
  });
  server.on("upgrade", (request, client) => {
    const lines = [`GET ${request.url} HTTP/1.1`];
    for (let at = 0; at < request.rawHeaders.length; at += 2) lines.push(request.rawHeaders.slice(at, at + 2).join(": "));
    const upstream = dial(Number(process.env.PORT), "127.0.0.1", () => upstream.write(`${lines.join("\r\n")}\r\n\r\n`));
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.pipe(to);
      from.on("error", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
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

test("progress, patterns, the meta API, a testament and a kill", async () => {
  const page = await browser.page(front.origin);
  await page.goto(`${front.origin}/habits.html`);
  await page.waitForFunction(() => /^(done|failed)/.test(document.getElementById("state").textContent));
  assert.equal(await page.locator("#state").textContent(), "done");
  assert.deepEqual(JSON.parse(await page.locator("#found").textContent()), {
    progress: [0, 1, 2, 3, 4],
    came: ["gone"],
    heard: [[["last words"], { of: "gone" }]],
    joined: ["salty", "client", "wampcra"],
    result: ["com.example.open.page.count", "salty"],
    here: [3, 3, true],
    got: "gone",
    callees: [true],
    closed: "wamp.close.killed",
  });
  // autobahn-js closes its connection before its own answer to GOODBYE has left.
  const answered = "WebSocket is already in CLOSING or CLOSED state.";
  assert.deepEqual(page.faults.filter((fault) => fault !== answered), []);
  await page.context().close();
});
