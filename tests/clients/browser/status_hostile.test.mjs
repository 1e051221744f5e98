/** Whatever clients call themselves, subscribe to or are refused: on the status page it is text, and shows what it is. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { Browser, DESKTOP } from "./browser.mjs";
import { HUGE, MARKUP, UNSEEN, asUri } from "./hostile_texts.mjs";
import { StatusRouter } from "./status_router.mjs";

/** What the views may consist of; anything else would be an element that a text has become. */
const ELEMENTS = [
  "bdi", "button", "caption", "code", "dd", "div", "dl", "dt", "figcaption", "figure", "form", "h2", "input", "label", "li", "p",
  "path", "polygon", "polyline", "section", "span", "strong", "svg", "table", "tbody", "td", "th", "thead", "time", "tr", "ul",
];
const ATTRIBUTES = [
  "aria-controls", "aria-hidden", "aria-label", "aria-labelledby", "aria-selected", "autocapitalize", "autocomplete", "class", "d",
  "data-does", "data-session", "data-state", "datetime", "disabled", "for", "hidden", "id", "method", "points", "preserveAspectRatio", "role",
  "scope", "spellcheck", "style", "tabindex", "title", "type", "viewBox",
];

let router, browser;
const pages = [];
const sessions = [];

before(async () => {
  const texts = [...MARKUP, ...Object.values(UNSEEN), HUGE];
  browser = await Browser.start();
  router = await StatusRouter.start(texts);
  for (const text of texts) await come(text);
});

after(async () => {
  await Promise.all(sessions.map((session) => session.close()));
  await browser?.stop();
  await router?.end();
});

afterEach(async () => {
  const faults = pages.flatMap((page) => page.faults);
  await Promise.all(pages.splice(0).map((page) => page.context().close()));
  assert.deepEqual(faults, []);
});

/** A session whose authid, agent, topic and refused topic are one text. */
async function come(text) {
  const session = await router.user(text, text.replace(/[^\x20-\x7e]/g, "?").slice(0, 4000));
  sessions.push(session);
  await session.subscribe(asUri(text).slice(0, 900), () => {}).catch(() => {});
  await session.subscribe(`secret.${asUri(text)}`.slice(0, 900), () => {}).catch(() => {});
}

async function open(view, options = DESKTOP) {
  const page = await browser.page(router.origin, options);
  pages.push(page);
  await page.addInitScript(() => {
    globalThis.broken = [];
    addEventListener("securitypolicyviolation", (event) => globalThis.broken.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(`${router.origin}/#token=${encodeURIComponent(router.tickets.operator)}&${view}`);
  await page.locator(`#tab-${view}[aria-selected=true]`).waitFor();
  return page;
}

/** Nothing has become an element, nothing runs, nothing is asked for, the policy had nothing to stop. */
async function unharmed(page, root = "body > main") {
  const found = await page.evaluate((selector) => {
    const all = [...document.querySelector(selector).querySelectorAll("*")].filter((one) => one.localName !== "noscript" && one.localName !== "legend");
    return {
      title: document.title,
      elements: [...new Set(all.map((one) => one.localName))],
      attributes: [...new Set(all.flatMap((one) => one.getAttributeNames()))],
      broken: globalThis.broken,
    };
  }, root);
  assert.equal(found.title, "wampgate: status");
  assert.deepEqual(found.elements.filter((name) => !ELEMENTS.includes(name)), []);
  assert.deepEqual(found.attributes.filter((name) => !ATTRIBUTES.includes(name) && name !== "required"), []);
  assert.deepEqual(found.broken, []);
}

const column = (page, rows, index) => page.locator(`${rows} tr`).evaluateAll((all, at) => all.map((row) => row.cells[at].querySelector("bdi")?.textContent ?? ""), index);

/** All pages of the sessions' view. */
async function everyone(page) {
  const found = [];
  for (;;) {
    await page.locator("#sessions-rows tr").first().waitFor();
    found.push(...(await column(page, "#sessions-rows", 0)));
    const next = page.getByRole("button", { name: "Next page" });
    if (await next.isDisabled()) return found;
    const first = await page.locator("#sessions-rows tr").first().getAttribute("data-session");
    await next.click();
    await page.waitForFunction((id) => document.querySelector("#sessions-rows tr")?.dataset.session !== id, first);
  }
}

test("the corpus is one", () => {
  assert.ok(MARKUP.length + Object.keys(UNSEEN).length >= 60);
});

test("authids are text, each as it is", async () => {
  const page = await open("sessions");
  const found = await everyone(page);
  for (const text of MARKUP) assert.ok(found.includes(text.length > 160 ? `${text.slice(0, 160)}…` : text), text);
  await unharmed(page);
});

test("what can't be seen is written out", async () => {
  const page = await open("sessions");
  const found = await everyone(page);
  for (const [name, text] of Object.entries(UNSEEN)) {
    const shown = text.replace(/[^\x21-\x7e ]/gu, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
    assert.ok(found.includes(shown), `${name}: ${shown}`);
    assert.ok(!found.includes(text), name);
  }
});

test("a huge authid takes no more room than others, and is found by its beginning", async () => {
  const page = await open("sessions");
  await page.getByLabel(/^Search/).fill("<b>WWWW");
  await page.waitForFunction(() => document.querySelectorAll("#sessions-rows tr").length === 1);
  const text = await page.locator("#sessions-rows bdi").first().textContent();
  assert.equal(text.length, 161);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0);
  await unharmed(page);
});

test("details, agents and the question before a kick are text", async () => {
  const page = await open("sessions");
  for (const text of MARKUP.filter((_, index) => index % 4 === 0 && index < 50)) {
    await page.getByLabel(/^Search/).fill(text);
    await page.locator("#sessions-caption", { hasText: text.slice(0, 20) }).waitFor();
    // Others may hold this one's text.
    const row = page.locator("#sessions-rows tr").filter({ has: page.getByText(text, { exact: true }) });
    await row.getByRole("button", { name: /^Details/ }).click();
    const [names, values] = [await page.locator("#details-list dt").allTextContents(), await page.locator("#details-list dd").allTextContents()];
    assert.equal(values[names.indexOf("authid")], text);
    // The router keeps so much of a User-Agent and no more.
    assert.match(values[names.indexOf("agent")], /^[^–]{15}/);
    assert.ok(text.startsWith(values[names.indexOf("agent")].replace(/…$/, "")), values[names.indexOf("agent")]);
    await unharmed(page, "#details");
    await page.getByRole("button", { name: "Close" }).click();
    await row.getByRole("button", { name: /^End session/ }).click();
    assert.ok((await page.locator("#kick-whom").textContent()).startsWith(Array.from(text).length > 60 ? text.slice(0, 60) : text));
    await unharmed(page, "#kick-whom");
    await page.getByRole("button", { name: "Cancel" }).click();
  }
});

test("topics are text", async () => {
  const page = await open("topics");
  await page.locator("#topics-rows tr").first().waitFor();
  const found = await column(page, "#topics-rows", 0);
  const expected = MARKUP.map(asUri).filter((uri) => uri.length <= 160);
  assert.ok(expected.length >= 50);
  assert.deepEqual(expected.filter((uri) => !found.includes(uri)), []);
  await unharmed(page);
});

test("refusals and their explanation are text", async () => {
  const page = await open("refusals");
  await page.locator("#refusals-rows tr").first().waitFor();
  const found = await column(page, "#refusals-rows", 2);
  const expected = MARKUP.map((text) => `secret.${asUri(text)}`).filter((uri) => uri.length <= 160);
  assert.deepEqual(expected.filter((uri) => !found.includes(uri)), []);
  await unharmed(page);
  const buttons = page.getByRole("button", { name: /^Explain/ });
  for (let index = 0; index < 40; index += 4) {
    await buttons.nth(index).click();
    await page.locator("#details-answer", { hasText: /^Now it is refused \(role member\)/ }).waitFor();
    await unharmed(page, "#details");
    await page.getByRole("button", { name: "Close" }).click();
  }
});

test("a role, a realm, a rule's reason and a farewell are text", async () => {
  const text = "<img/src/onerror=document.title='owned'>";
  const page = await open("overview");
  await page.locator("#verdict", { hasText: "Ready" }).waitFor();
  const operator = await router.session(router.tickets.operator);
  sessions.push(operator);
  await operator.call("wamp.session.kill_by_authid", ["operator"], { reason: `com.${text}`, message: `${text}\u202e` });
  await page.locator("#login-failed").waitFor();
  assert.equal(await page.locator("#login-failed").textContent(), `${text}\\u{202e} (com.${text})`);
  await unharmed(page);
  const realm = await browser.page(router.origin);
  pages.push(realm);
  await realm.goto(`${router.origin}/#token=${encodeURIComponent(text)}&realm=${encodeURIComponent(text)}&${encodeURIComponent(text)}`);
  await realm.locator("#login-failed").waitFor();
  assert.equal(await realm.title(), "wampgate: status");
  assert.equal(await realm.locator("img").count(), 1);
});

test("the policy that is served lets nothing else in, and works", async (it) => {
  const answer = await fetch(router.origin);
  const policy = answer.headers.get("content-security-policy");
  assert.match(policy, /^default-src 'self'; /);
  assert.doesNotMatch(policy, /unsafe|\*|data:|https?:/);
  for (const name of ["form-action 'none'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"]) assert.ok(policy.includes(name), name);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  let reached = 0;
  const other = createServer((_, response) => ((reached += 1), response.end())).listen(0, "127.0.0.1");
  it.after(() => other.close());
  await new Promise((resolve) => other.once("listening", resolve));
  const page = await open("overview");
  const outcomes = await page.evaluate(async (address) => {
    const said = [];
    const script = document.createElement("script");
    try {
      script.text = "document.title='owned'";
      said.push("a script was made");
    } catch {
      said.push("no script");
    }
    try {
      document.body.innerHTML += "";
      said.push("markup was made");
    } catch {
      said.push("no markup");
    }
    await fetch(address).then(() => said.push("reached"), () => said.push("not reached"));
    const image = new Image();
    await new Promise((resolve) => ((image.onload = image.onerror = resolve), (image.src = `${address}/x.png`)));
    return said;
  }, `http://127.0.0.1:${other.address().port}`);
  assert.deepEqual(outcomes, ["no script", "no markup", "not reached"]);
  assert.equal(reached, 0);
  const broken = await page.evaluate(() => globalThis.broken.length);
  assert.ok(broken >= 3);
  // Those faults were asked for.
  page.faults.length = 0;
});
