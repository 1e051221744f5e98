/** The status page in a real browser on the real router: login, rights, live views, ends of sessions, keyboard, looks. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { Browser, DESKTOP, PHONE, picture } from "./browser.mjs";
import { StatusRouter } from "./status_router.mjs";

let router, browser;
const pages = [];
const sessions = [];

before(async () => {
  browser = await Browser.start();
  router = await StatusRouter.start(["alice", "alice2", "bob", "carol", ...Array.from({ length: 60 }, (_, number) => `many-${number}`)]);
});

after(async () => {
  await browser?.stop();
  await router?.end();
});

afterEach(async () => {
  const faults = pages.flatMap((page) => page.faults);
  await Promise.all(pages.splice(0).map((page) => page.context().close()));
  await Promise.all(sessions.splice(0).map((session) => session.close()));
  assert.deepEqual(faults, []);
});

async function open(fragment = "", options) {
  const page = await browser.page(router.origin, options);
  pages.push(page);
  await page.goto(`${router.origin}/${fragment}`);
  return page;
}

async function loggedIn(name = "operator", options, view = "") {
  const page = await open(`#token=${encodeURIComponent(router.tickets[name])}${view && `&${view}`}`, options);
  await page.locator("#views").waitFor();
  return page;
}

async function user(name, agent) {
  sessions.push(await router.user(name, agent));
  return sessions.at(-1);
}

const state = (page, text) => page.locator("#link", { hasText: text }).waitFor();
const view = (page, name) => page.getByRole("tab", { name }).click();
const rowOf = (page, text) => page.locator("#sessions-rows tr", { hasText: text });

test("the form logs in; the token stays in the tab, also over a reload, and logging out forgets it", async () => {
  const page = await open();
  await page.getByLabel("Token").fill("nobody's");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator("#login-failed", { hasText: "wamp.error.authentication_denied" }).waitFor();
  await page.getByLabel("Token").fill(router.tickets.operator);
  await page.getByRole("button", { name: "Log in" }).click();
  await state(page, "Live");
  assert.equal(await page.locator("#who").textContent(), "operator (operator)");
  assert.equal(page.url(), `${router.origin}/#overview`);
  await page.reload();
  await state(page, "Live");
  const other = await page.context().newPage();
  await other.goto(router.origin);
  await other.locator("#login").waitFor();
  await other.close();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.locator("#login").waitFor();
  assert.deepEqual(await page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie]), [0, 0, ""]);
  await page.reload();
  await page.locator("#login").waitFor();
});

test("a link's token leaves the address and the history at once", async () => {
  const page = await loggedIn();
  assert.equal(page.url(), `${router.origin}/#overview`);
  await page.goBack().catch(() => {});
  assert.doesNotMatch(page.url(), /ticket/);
});

test("figures of the router, its realm and its plots", async () => {
  const member = await user("alice");
  await member.subscribe("com.news", () => {});
  const page = await loggedIn();
  await page.locator("#verdict", { hasText: "Ready" }).waitFor();
  await page.locator("#kinds tr", { hasText: "member" }).waitFor();
  const publishing = setInterval(() => member.publish("com.news", ["text"]), 20);
  try {
    await page.waitForFunction(() => {
      const now = [...document.querySelectorAll(".plot")].map((plot) => plot.textContent);
      return now.some((text) => /^Publications[1-9][\d.]*\/s/.test(text));
    });
  } finally {
    clearInterval(publishing);
  }
  const points = await page.locator(".plot").nth(2).locator("polyline").getAttribute("points");
  assert.match(points, /\d,\d/);
  assert.match(await page.locator("#surroundings").textContent(), /store.*sqlite.*ready.*hears of changes at once/);
});

test("who joins and leaves is seen at once, without any question between", async () => {
  const page = await loggedIn("operator", DESKTOP, "sessions");
  await page.locator("#sessions-hint", { hasText: "live" }).waitFor();
  const alice = await user("alice", "an agent of alice's");
  await rowOf(page, "alice").waitFor();
  const cells = await rowOf(page, "alice").locator("td").allTextContents();
  assert.deepEqual(cells.slice(0, 4), ["alice", "member", "ticket", "websocket"]);
  await rowOf(page, "alice").getByRole("button", { name: /Details/ }).click();
  await page.locator("#details", { hasText: "an agent of alice's" }).waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await alice.close();
  await rowOf(page, "alice").waitFor({ state: "detached" });
});

test("searching and turning pages", async () => {
  for (let number = 0; number < 60; number += 1) await user(`many-${number}`);
  const page = await loggedIn("operator", DESKTOP, "sessions");
  await page.locator("#sessions-rows tr").nth(49).waitFor();
  const first = await page.locator("#sessions-rows tr").evaluateAll((rows) => rows.map((row) => row.dataset.session));
  await page.getByRole("button", { name: "Next page" }).click();
  await page.waitForFunction((id) => document.querySelector("#sessions-rows tr")?.dataset.session !== id, first[0]);
  const second = await page.locator("#sessions-rows tr").evaluateAll((rows) => rows.map((row) => row.dataset.session));
  assert.equal(new Set([...first, ...second]).size, 61);
  assert.equal(await page.getByRole("button", { name: "Next page" }).isDisabled(), true);
  await page.getByLabel(/^Search/).fill("many-42");
  await page.locator("#sessions-caption", { hasText: "many-42" }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll("#sessions-rows tr").length === 1);
  await page.getByLabel(/^Search/).fill("");
  await page.locator("#sessions-rows tr").nth(49).waitFor();
});

test("a session is ended after asking, with the reason and message that were given", async () => {
  const alice = await user("alice");
  const bystander = await user("bob");
  const page = await loggedIn("operator", DESKTOP, "sessions");
  await rowOf(page, "alice").getByRole("button", { name: /^End session/ }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  assert.equal(alice.state, "joined");
  await rowOf(page, "alice").getByRole("button", { name: /^End session/ }).click();
  await page.getByLabel("Message to its client").fill("<b>good night</b>");
  await page.getByLabel("Reason, a URI").fill("no uri");
  await page.locator("#kick").getByRole("button", { name: "End" }).click();
  await page.locator("#kick-failed", { hasText: "wamp.error.invalid_uri" }).waitFor();
  await page.getByLabel("Reason, a URI").fill("com.example.tidied");
  await picture(page, "status-kick-light");
  await page.locator("#kick").getByRole("button", { name: "End" }).click();
  const { reason, message } = await alice.ended;
  assert.deepEqual([reason, message], ["com.example.tidied", "<b>good night</b>"]);
  await page.locator("#news", { hasText: "The session of alice was ended" }).waitFor({ state: "attached" });
  await rowOf(page, "alice").waitFor({ state: "detached" });
  assert.equal(bystander.state, "joined");
});

test("all sessions of an authid are ended, and no others", async () => {
  const [one, two, other] = [await user("alice"), await user("alice"), await user("alice2")];
  const page = await loggedIn("operator", DESKTOP, "sessions");
  await page.getByRole("button", { name: /^End session \d+ of alice$/ }).first().click();
  await page.getByLabel("all sessions of this authid").check();
  await page.locator("#kick").getByRole("button", { name: "End" }).click();
  assert.deepEqual([(await one.ended).reason, (await two.ended).reason], ["wamp.close.killed", "wamp.close.killed"]);
  assert.equal(other.state, "joined");
});

test("topics by their subscribers", async () => {
  const [alice, bob] = [await user("alice"), await user("bob")];
  await Promise.all([alice.subscribe("com.a", () => {}), bob.subscribe("com.a", () => {}), bob.subscribe("com.b.", () => {}, { match: "prefix" })]);
  const page = await loggedIn("operator", DESKTOP, "topics");
  await page.locator("#topics-rows tr", { hasText: "com.b." }).waitFor();
  const rows = await page.locator("#topics-rows tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(rows.filter(([topic]) => topic.startsWith("com.")), [["com.a", "exact", "2"], ["com.b.", "prefix", "1"]]);
});

test("a refusal, why it was refused, and how it would be decided now", async () => {
  const alice = await user("alice");
  await assert.rejects(alice.subscribe("secret.plans", () => {}));
  const page = await loggedIn("operator", DESKTOP, "refusals");
  const row = page.locator("#refusals-rows tr", { hasText: "secret.plans" });
  await row.waitFor();
  assert.match(await row.textContent(), /alice.*member.*subscribe.*secret\.plans.*no rule allows it/);
  await row.getByRole("button", { name: /^Explain the refusal of alice/ }).click();
  await page.locator("#details-answer", { hasText: "Now it is refused (role member): no rule allows it" }).waitFor();
  await picture(page, "status-explain-light");
});

test("a role without rules is told which one it needs, where it needs it", async () => {
  const page = await loggedIn("member");
  const notice = page.locator("#refused-overview");
  await notice.waitFor();
  assert.match(await notice.textContent(), /authorization\.rules.*\{"role": "member", "actions": \["call"\], "uri": "wampgate\.status\.", "match": "prefix"\}/);
  assert.equal(await page.locator("#plots").isVisible(), false);
  const watcher = await loggedIn("watcher", DESKTOP, "refusals");
  await watcher.locator("#refused-refusals", { hasText: '{"role": "watcher", "sees": "all"}' }).waitFor();
  await view(watcher, "Sessions");
  // Without a rule for the events it looks by itself, and it sees no session but its own.
  await watcher.locator("#sessions-hint", { hasText: "looked up every 2 seconds" }).waitFor();
  assert.equal(await watcher.locator("#sessions-rows tr").count(), 1);
  assert.equal(await watcher.locator("#sessions-rows", { hasText: "this page" }).count(), 1);
});

test("everything by keyboard alone", async () => {
  const alice = await user("alice");
  const page = await open();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") || document.activeElement.textContent || document.activeElement.id);
  await page.locator("#token").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "token");
  await page.keyboard.type(router.tickets.operator);
  await press("Enter");
  await state(page, "Live");
  await page.locator("#skip").focus();
  await press("Enter", "Tab");
  assert.equal(await focused(), "Overview");
  await press("ArrowLeft");
  assert.equal(await focused(), "Refusals");
  await press("Home", "ArrowRight");
  assert.equal(await focused(), "Sessions");
  assert.equal(await page.getByRole("tab", { name: "Sessions" }).getAttribute("aria-selected"), "true");
  await rowOf(page, "alice").waitFor();
  await page.getByLabel(/^Search/).focus();
  await page.keyboard.type("alice");
  await press("Enter");
  await page.waitForFunction(() => document.querySelectorAll("#sessions-rows tr").length === 1);
  for (let presses = 0; presses < 8 && !/^End session/.test(await focused()); presses += 1) await press("Tab");
  assert.match(await focused(), /^End session \d+ of alice/);
  // The focus is to be seen.
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none");
  await press("Enter");
  await page.locator("#kick").waitFor();
  await press("Escape");
  assert.match(await focused(), /^End session \d+ of alice/);
  await press("Enter");
  await page.getByLabel("Message to its client").focus();
  await press("Enter");
  assert.equal((await alice.ended).reason, "wamp.close.killed");
});

test("the focus stays where it is while rows come and go", async () => {
  await user("alice");
  const page = await loggedIn("operator", DESKTOP, "sessions");
  await rowOf(page, "alice").getByRole("button", { name: /^Details/ }).focus();
  await user("bob");
  await rowOf(page, "bob").waitFor();
  assert.match(await page.evaluate(() => document.activeElement.ariaLabel), /^Details of alice/);
});

for (const scheme of ["light", "dark"]) {
  for (const [name, options] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    test(`${scheme} on a ${name}: nothing runs over the edge, and every text can be read`, async () => {
      const alice = await user("alice");
      await alice.subscribe("com.news", () => {});
      await alice.subscribe("secret.plans", () => {}).catch(() => {});
      const page = await loggedIn("operator", { ...options, colorScheme: scheme });
      await page.locator("#verdict", { hasText: "Ready" }).waitFor();
      const axe = await readFile(process.env.AXE, "utf8");
      for (const tab of ["Overview", "Sessions", "Topics", "Refusals"]) {
        await view(page, tab);
        await page.locator(`#${tab.toLowerCase()} ${tab === "Overview" ? ".plot" : "tbody tr"}`).first().waitFor();
        await picture(page, `status-${tab.toLowerCase()}-${name}-${scheme}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(over, 0, `${tab} is wider than the window`);
        // An evaluated expression is the debugger's, not the page's: its policy stays as it is.
        await page.evaluate(axe);
        const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
        assert.ok(passes.length > 20, `only ${passes.length} rules were looked at`);
        assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], tab);
      }
    });
  }
}

test("nothing moves for those who want no motion", async () => {
  const page = await loggedIn("operator", { ...DESKTOP, reducedMotion: "reduce" });
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => one.getAnimations({ subtree: true }).length).length);
  assert.equal(moving, 0);
});

test("the router is gone: what is shown is called old; it comes back, and so does the page", async () => {
  const page = await loggedIn("operator", DESKTOP, "sessions");
  await page.locator("#sessions-hint", { hasText: "live" }).waitFor();
  const token = await page.evaluate(() => JSON.parse(sessionStorage.getItem("wampgate.status")).token);
  assert.equal(token, router.tickets.operator);
  await router.halt("SIGKILL");
  await page.locator("#stale", { hasText: "No connection to the router" }).waitFor();
  assert.match(await page.locator("#stale-text").textContent(), /What you see is of \d\d:\d\d:\d\d\. Trying again/);
  await page.locator("#news", { hasText: "connection to the router is lost" }).waitFor({ state: "attached" });
  await picture(page, "status-stale-light");
  await router.run();
  await page.getByRole("button", { name: "Try now" }).click({ timeout: 2_000 }).catch(() => {});
  await state(page, "Live");
  assert.equal(await page.locator("#stale").isVisible(), false);
  await page.locator("#news", { hasText: "Connected again" }).waitFor({ state: "attached" });
  // The view goes on being live on the new connection, and each event is heard once.
  await user("carol");
  await rowOf(page, "carol").waitFor();
});

test("the router does not answer: that is said, too", async () => {
  const page = await loggedIn();
  await page.locator("#verdict", { hasText: "Ready" }).waitFor();
  router.process.kill("SIGSTOP");
  try {
    await page.locator("#stale", { hasText: "The router does not answer" }).waitFor({ timeout: 15_000 });
  } finally {
    router.process.kill("SIGCONT");
  }
  await page.locator("#stale").waitFor({ state: "hidden" });
  await state(page, "Live");
});

test("whoever is ended by another operator is told so, and asked to log in", async () => {
  const page = await loggedIn();
  await state(page, "Live");
  const other = await router.session(router.tickets.operator);
  sessions.push(other);
  await other.call("wamp.session.kill_by_authid", ["operator"], { message: "<i>shift</i> is over" });
  await page.locator("#login-failed", { hasText: "<i>shift</i> is over (wamp.close.killed)" }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});
