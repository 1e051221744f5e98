/** Session cookies in a real Chromium: what it takes and sends, who can use it, and that pages elsewhere can't. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Browser, DESKTOP } from "./browser.mjs";

const { PORT, TOKEN, OTHER_TOKEN, NPM_FOLDER } = process.env;
const ORIGIN = `http://127.0.0.1:${PORT}`;
const AUTOBAHN = join(NPM_FOLDER, "node_modules/autobahn-browser/autobahn.min.js");
const NAME = "__Host-wampgate";

let browser, elsewhere;

before(async () => {
  browser = await Browser.start();
  elsewhere = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>elsewhere"));
  elsewhere.listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
});

after(async () => {
  await browser?.stop();
  elsewhere?.close();
});

async function open(origin = ORIGIN, options = {}) {
  const page = await browser.page(origin, { ...DESKTOP, ...options });
  await page.goto(`${origin}/`);
  return page;
}

/** What a page does to log in, and what it is told. */
const logIn = (page, token = TOKEN, url = "/session") =>
  page.evaluate(
    async ([token, url]) => {
      const answer = await fetch(url, {
        method: "POST", credentials: "include", headers: { Authorization: `Bearer ${token}` },
      });
      return { status: answer.status, body: await answer.json() };
    },
    [token, url],
  );

const logOut = (page) => page.evaluate(async () => (await fetch("/session", { method: "DELETE" })).status);

/** Joins with our client; the session stays in the page as `session`, how it ended as `ended`. */
const joinHere = (page, authmethods) =>
  page.evaluate(
    async ([authmethods]) => {
      const { connect } = await import("/wamp.js");
      const url = `${location.origin.replace("http", "ws")}/ws`;
      globalThis.session = connect({ url, realm: "realm1", authmethods, retry: false });
      globalThis.ended = new Promise((resolve) => {
        globalThis.session.addEventListener("closed", ({ detail }) => resolve(detail.reason));
      });
      try {
        const { authid, details } = await new Promise((resolve, reject) => {
          globalThis.session.addEventListener("joined", ({ detail }) => resolve(detail));
          globalThis.session.joined().catch(reject);
        });
        return `${authid} by ${details.authmethod}`;
      } catch (error) {
        return error.uri;
      }
    },
    [authmethods],
  );

/** Whether a WebSocket opens from a page, and what HELLO by cookie is answered with. */
const helloFrom = (page, url) =>
  page.evaluate(
    ([url]) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url, ["wamp.2.json"]);
        socket.onopen = () => socket.send(JSON.stringify([1, "realm1", { roles: { caller: {} }, authmethods: ["cookie"] }]));
        socket.onmessage = ({ data }) => resolve(JSON.parse(data)[0]);
        socket.onclose = ({ code }) => resolve(`closed ${code}`);
      }),
    [url],
  );

const cookies = async (page) => (await page.context().cookies()).filter(({ name }) => name === NAME);

for (const host of ["127.0.0.1", "localhost"]) {
  test(`${host}: the cookie is taken without TLS on this machine, is out of scripts' reach, and opens sessions`, async () => {
    const page = await open(`http://${host}:${PORT}`);
    const answer = await logIn(page);
    assert.equal(answer.status, 201);
    assert.deepEqual(Object.keys(answer.body).sort(), ["authid", "expires_in", "realm"]);
    const [cookie, ...others] = await cookies(page);
    assert.deepEqual(others, []);
    assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path], [true, true, "Strict", "/"]);
    assert.equal(cookie.domain, host);
    assert.ok(cookie.expires <= Date.now() / 1000 + 3600);
    assert.equal(await page.evaluate(() => document.cookie), "");
    assert.equal(await joinHere(page, ["cookie"]), "anna by cookie");
    await page.evaluate(() => globalThis.session.subscribe("organization.of-anna", () => {}));
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test("a reloaded page and a second tab join by it; with a ticket beside it, it comes first", async () => {
  const page = await open();
  await logIn(page);
  await page.reload();
  assert.equal(await joinHere(page, ["cookie", "ticket"]), "anna by cookie");
  const tab = await page.context().newPage();
  await tab.goto(`${ORIGIN}/`);
  assert.equal(await joinHere(tab, ["cookie"]), "anna by cookie");
  await page.context().close();
});

test("autobahn-js joins by it", async () => {
  const page = await open(ORIGIN, { bypassCSP: true });
  await logIn(page);
  await page.addScriptTag({ content: await readFile(AUTOBAHN, "utf8") });
  const joined = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const url = `${location.origin.replace("http", "ws")}/ws`;
        const connection = new globalThis.autobahn.Connection({ url, realm: "realm1", authmethods: ["cookie"] });
        connection.onopen = (_, details) => resolve(`${details.authid} by ${details.authmethod}`);
        connection.onclose = (reason, details) => resolve(`${reason}: ${details.reason}`);
        connection.open();
      }),
  );
  assert.equal(joined, "anna by cookie");
  await page.context().close();
});

test("logging out ends the sessions of all tabs, and the cookie", async () => {
  const page = await open();
  await logIn(page);
  const [{ value }] = await cookies(page);
  const tab = await page.context().newPage();
  await tab.goto(`${ORIGIN}/`);
  for (const each of [page, tab]) assert.equal(await joinHere(each, ["cookie"]), "anna by cookie");
  assert.equal(await logOut(page), 200);
  for (const each of [page, tab]) assert.equal(await each.evaluate(() => globalThis.ended), "wampgate.close.token_revoked");
  assert.deepEqual(await cookies(page), []);
  assert.equal(await joinHere(page, ["cookie"]), "wamp.error.authentication_required");
  // Whoever has kept its value has nothing.
  await page.context().addCookies([
    { name: NAME, value, url: `https://127.0.0.1:${PORT}`, httpOnly: true, secure: true, sameSite: "Strict" },
  ]);
  assert.equal(await joinHere(page, ["cookie"]), "wamp.error.authentication_denied");
  await page.context().close();
});

test("another login takes its place in the browser", async () => {
  const page = await open();
  await logIn(page);
  const [before] = await cookies(page);
  await logIn(page, OTHER_TOKEN);
  const [now, ...others] = await cookies(page);
  assert.deepEqual(others, []);
  assert.notEqual(now.value, before.value);
  assert.equal(await joinHere(page, ["cookie"]), "bert by cookie");
  await page.context().close();
});

for (const host of ["127.0.0.1", "localhost"]) {
  test(`a page on ${host} with another port: it may be of the same site, its WebSocket and its requests do nothing`, async () => {
    const page = await open();
    await logIn(page);
    assert.equal(await joinHere(page, ["cookie"]), "anna by cookie");
    const foreign = await page.context().newPage();
    await foreign.goto(`http://${host}:${elsewhere.address().port}/`);
    assert.equal(await helloFrom(foreign, `ws://127.0.0.1:${PORT}/ws`), "closed 1006");
    const refused = await foreign.evaluate(
      async ([url]) => {
        const outcomes = [];
        for (const options of [{ method: "DELETE" }, { method: "POST", headers: { Authorization: "Bearer x" } }, { method: "POST" }]) {
          outcomes.push(await fetch(url, { credentials: "include", ...options }).then((answer) => answer.status, () => "blocked"));
        }
        // What needs no preflight is sent, whoever may read the answer.
        outcomes.push(await fetch(url, { credentials: "include", mode: "no-cors", method: "POST" }).then(({ type }) => type, () => "blocked"));
        return outcomes;
      },
      [`${ORIGIN}/session`],
    );
    assert.ok(!refused.some((outcome) => outcome === 200 || outcome === 201), `${refused}`);
    await page.evaluate(() => globalThis.session.subscribe("organization.of-anna", () => {}));
    assert.equal((await cookies(page)).length, 1);
    await page.context().close();
  });
}
