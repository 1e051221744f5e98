/** The page in a real browser on the real router: news, refusals, the demo, reconnecting, hostile payloads, looks. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { Browser, DESKTOP, PHONE, picture } from "./browser.mjs";
import { DemoRouter } from "./demo_router.mjs";
import { MARKUP } from "./hostile_texts.mjs";

let router, browser;
const pages = [];

before(async () => {
  [router, browser] = await Promise.all([DemoRouter.start(), Browser.start()]);
});

after(async () => {
  await browser?.stop();
  await router?.end();
});

afterEach(async () => {
  const faults = pages.flatMap((page) => page.faults);
  await Promise.all(pages.splice(0).map((page) => page.context().close()));
  assert.deepEqual(faults, []);
});

async function open(link, options) {
  const page = await browser.page(router.origin, options);
  pages.push(page);
  await page.goto(link);
  return page;
}

const single = (fragment, options) => open(`${router.origin}/#${fragment}`, options);
const state = (root, text) => root.locator(".panel .state", { hasText: text }).waitFor();
const notice = (root, text) => root.locator(".notice", { hasText: text }).waitFor();
const news = (root, text) => root.locator(".event", { hasText: text });

test("alice's link: her organizations are offered, the chosen one's news appear, the token leaves the address", async () => {
  const page = await single(`token=${router.tokens.alice}`);
  assert.equal(page.url(), `${router.origin}/`);
  await state(page, "Connected");
  await notice(page, "No organization");
  assert.equal(await page.locator(".panel .name").textContent(), "alice");
  assert.deepEqual(await page.locator(".chip").allTextContents(), ["7", "8"]);
  assert.deepEqual(await page.locator("#organizations option").evaluateAll((all) => all.map((one) => one.value)), ["7", "8"]);
  await page.getByRole("button", { name: "7", exact: true }).click();
  await state(page, "Live");
  assert.equal(await page.locator(".notice").isVisible(), false);
  await router.publish("8", ["not for this view"]);
  await router.publish("7", ["words alone"]);
  await router.publish("7", [{ text: "words in an object", id: 5 }]);
  await router.publish("7", ["news"], { data: { a: [1, 2] } });
  await news(page, '{"a":[1,2]}').waitFor();
  const texts = await page.locator(".event").allTextContents();
  assert.equal(texts.length, 3);
  assert.match(texts[0], /organization\.7.*\["news",\{"data":\{"a":\[1,2\]\}\}\]/);
  assert.match(texts[1], /organization\.7words in an object\{"text":"words in an object","id":5\}/);
  assert.match(texts[2], /organization\.7words alone$/);
  await picture(page, "single-light");
});

test("bob has one organization: it is his", async () => {
  const page = await single(`token=${router.tokens.bob}`);
  await state(page, "Live");
  assert.equal(await page.locator("#organization").inputValue(), "8");
});

test("token and organization in the link: live at once; disconnecting is said", async () => {
  const page = await single(`token=${router.tokens.alice}&organization=7&realm=realm1`);
  await state(page, "Live");
  assert.equal(await page.evaluate(() => location.hash), "");
  await page.getByRole("button", { name: "Disconnect" }).click();
  await state(page, "Disconnected");
  await router.publish("7", ["after leaving"]);
  assert.equal(await page.locator(".event").count(), 0);
});

const REFUSALS = [
  ["no token", () => "", "No token", "wamp.error.authentication_required"],
  ["an unknown token", () => "token=nonsense&organization=7", "Token not accepted", "wamp.error.authentication_denied"],
  ["an expired token", () => `token=${router.tokens.expired}`, "Token not accepted", "wamp.error.authentication_denied"],
  ["a foreign organization", () => `token=${router.tokens.bob}&organization=7`, "Not a member", "wamp.error.not_authorized"],
  ["no such organization", () => `token=${router.tokens.alice}&organization=70`, "Not a member", "wamp.error.not_authorized"],
  ["no such realm", () => `token=${router.tokens.alice}&realm=other`, "No such realm", "wamp.error.no_such_realm"],
];

for (const [name, fragment, title, uri] of REFUSALS) {
  test(`refused in words and not tried again: ${name}`, async () => {
    const page = await browser.page(router.origin);
    pages.push(page);
    let sockets = 0;
    page.on("websocket", () => (sockets += 1));
    await page.goto(`${router.origin}/#${fragment()}`);
    if (!fragment()) await page.getByRole("button", { name: "Connect", exact: true }).click();
    await state(page, "Refused");
    await notice(page, title);
    await notice(page, uri);
    await page.waitForTimeout(1200);
    assert.equal(sockets, 1);
    if (name === "a foreign organization") await picture(page, "single-refused");
  });
}

test("an organization id with a dot is refused here: it would be part of another organization's topics", async () => {
  const page = await single("");
  await page.getByLabel("Token", { exact: true }).fill(router.tokens.alice);
  await page.getByLabel("Organization").fill("7.news");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await notice(page, "Not an organization id");
  await page.getByLabel("Organization").fill("7");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await state(page, "Live");
});

test("a second link in the same tab takes the place of the first", async () => {
  const page = await single(`token=${router.tokens.bob}`);
  await state(page, "Live");
  await page.evaluate((hash) => (location.hash = hash), `token=${router.tokens.alice}&organization=7`);
  await page.locator(".panel .name", { hasText: "alice" }).waitFor();
  await state(page, "Live");
  assert.equal(await page.locator(".panel").count(), 1);
  assert.equal(await page.evaluate(() => location.hash), "");
});

test("the demo: what is published to 7 appears for alice alone, to 8 for both", async () => {
  const page = await open(router.demoLink);
  const [alice, bob] = ["alice", "bob"].map((name) => page.getByRole("region", { name, exact: true }));
  await page.locator("#publish .state", { hasText: "Ready" }).waitFor();
  for (const panel of [alice, bob]) await panel.locator(".state", { hasText: "Live" }).waitFor();
  await alice.locator(".tag", { hasText: "organization.8" }).waitFor();
  const [left, right] = [await alice.boundingBox(), await bob.boundingBox()];
  assert.ok(left.x + left.width <= right.x && left.y === right.y, "side by side");
  const publish = async (organization, text) => {
    await page.getByLabel("Organization").fill(organization);
    await page.getByLabel("News", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Publish" }).click();
    await page.locator("#published", { hasText: `Published to organization.${organization}, publication` }).waitFor();
  };
  await publish("7", "for seven");
  await publish("8", "for eight");
  for (const panel of [alice, bob]) await news(panel, "for eight").waitFor();
  assert.equal(await news(alice, "for seven").count(), 1);
  assert.equal(await news(bob, "for seven").count(), 0);

  await bob.getByRole("button", { name: "Try organization 7" }).click();
  await notice(bob, "does not belong to organization 7");
  await notice(bob, "wamp.error.not_authorized");
  await alice.getByRole("button", { name: "Try organization 9" }).click();
  await notice(alice, "does not belong to organization 9");
  await alice.getByRole("button", { name: "Try her expired token" }).click();
  await notice(alice, "Token not accepted");
  await publish("8", "still live");
  for (const panel of [alice, bob]) await news(panel, "still live").waitFor();
  await publish("7", "seven again");
  await news(alice, "seven again").waitFor();
  assert.equal(await news(bob, "seven again").count(), 0);
  await picture(page, "demo-light");
});

for (const signal of ["SIGTERM", "SIGKILL"]) {
  test(`the router goes (${signal}) and comes back: the page says so and goes on`, async () => {
    const page = await single(`token=${router.tokens.alice}&organization=7`);
    await state(page, "Live");
    await router.halt(signal);
    await state(page, "Reconnecting");
    await page.locator(".notice.wait").waitFor();
    await page.getByRole("button", { name: "Connect now" }).waitFor();
    if (signal === "SIGKILL") await picture(page, "single-reconnecting");
    await router.run();
    await page.getByRole("button", { name: "Connect now" }).click().catch(() => {});
    await state(page, "Live");
    assert.equal(await page.locator(".notice").isVisible(), false);
    await router.publish("7", ["after the restart"]);
    await news(page, "after the restart").waitFor();
    assert.equal(await page.locator(".event").count(), 1);
    assert.match(await page.locator(".gap").textContent(), /^Not connected from .* news of that time are missing\.$/);
  });
}

const HOSTILE = [
  "<script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">", "<svg onload=alert(1)>",
  "javascript:alert(1)", "\"><iframe srcdoc='<script>alert(1)</script>'>", "{{constructor.constructor('alert(1)')()}}",
  "\u202e\u0000\u0007 control", "</li></ol><style>*{display:none}</style>", "<a href=javascript:alert(1)>x</a>", "&lt;b&gt;",
];

test("hostile payloads are text", async () => {
  const page = await single(`token=${router.tokens.alice}&organization=7`);
  await state(page, "Live");
  for (const text of HOSTILE) {
    await router.publish("7", [text]);
    await router.publish("7", [{ text, [text]: text }]);
    await router.publish("7", [], { [text]: [text], __proto__x: 1, title: text });
  }
  await page.locator(".event").nth(3 * HOSTILE.length - 1).waitFor();
  assert.deepEqual((await page.locator(".event .event-text").allTextContents()).filter((_, index) => index % 3 === 2).reverse(), HOSTILE);
  const tags = await page.locator(".events").evaluate((root) => [...new Set([...root.querySelectorAll("*")].map((one) => one.localName))]);
  assert.deepEqual(tags.sort(), ["code", "div", "li", "p", "time"]);
  assert.equal(await page.title(), "wampgate");
  assert.equal(await page.locator("h1").isVisible(), true);
});

test("what the status page is shown is text here, too", async () => {
  const page = await single(`token=${router.tokens.alice}&organization=7`);
  await state(page, "Live");
  const backend = await router.session(router.tokens.backend);
  for (const text of MARKUP) await backend.call("wampgate.publish", ["organization.7", [{ text, [text]: text }], {}, {}]);
  await backend.close();
  await page.locator(".event").nth(MARKUP.length - 1).waitFor();
  assert.deepEqual((await page.locator(".event .event-text").allTextContents()).reverse(), MARKUP);
  const tags = await page.locator(".events").evaluate((root) => [...new Set([...root.querySelectorAll("*")].map((one) => one.localName))]);
  assert.deepEqual(tags.sort(), ["code", "div", "li", "p", "time"]);
  assert.equal(await page.title(), "wampgate");
});

test("a hostile link is text too", async () => {
  const bad = encodeURIComponent("<img src=x onerror=\"document.title='owned'\">");
  const page = await single(`token=${bad}&organization=7&realm=${bad}`);
  await state(page, "Refused");
  assert.equal(await page.locator("img").count(), 1);
  assert.equal(await page.title(), "wampgate");
  const proto = await single("__proto__=x&constructor=y&%E0%A4%A=z&token=a%+b");
  await state(proto, "Refused");
  assert.equal(await proto.locator("#token").inputValue(), "a%+b");
});

test("the policy lets the page reach its own router and no one else", async () => {
  let reached = 0;
  const other = createServer((_, response) => ((reached += 1), response.end())).listen(0, "127.0.0.1");
  other.on("upgrade", () => (reached += 1));
  await new Promise((resolve) => other.once("listening", resolve));
  const page = await single(`token=${router.tokens.alice}&organization=7`);
  await state(page, "Live");
  const blocked = await page.evaluate(async (address) => {
    const violations = [];
    addEventListener("securitypolicyviolation", (event) => violations.push(event.effectiveDirective));
    await fetch(`http://${address}/`).catch(() => {});
    try { new WebSocket(`ws://${address}/`); } catch {}
    document.body.append(Object.assign(document.createElement("img"), { src: `http://${address}/x.png` }));
    const inline = document.createElement("style");
    inline.textContent = "body { display: none }";
    document.head.append(inline);
    try { document.body.innerHTML = "<b>"; } catch { violations.push("markup"); }
    await new Promise((resolve) => setTimeout(resolve, 300));
    return violations;
  }, `127.0.0.1:${other.address().port}`);
  other.close();
  for (const what of ["connect-src", "img-src", "style-src-elem", "require-trusted-types-for", "markup"]) assert.ok(blocked.includes(what), `${what} of ${blocked}`);
  assert.equal(blocked.filter((what) => what === "connect-src").length, 2);
  assert.equal(reached, 0);
  page.faults.length = 0; // these were asked for
});

test("with the keyboard alone", async () => {
  const page = await single("");
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.id);
  const outline = () => page.evaluate(() => parseFloat(getComputedStyle(document.activeElement).outlineWidth));
  const order = [];
  for (let step = 0; step < 5; step += 1) {
    await page.keyboard.press("Tab");
    order.push(await focused());
    assert.ok((await outline()) >= 2, `no focus ring on ${order.at(-1)}`);
    if (order.at(-1) === "token") await page.keyboard.type(router.tokens.alice);
    if (order.at(-1) === "organization") await page.keyboard.type("7");
    if (order.at(-1) === "Connect") await page.keyboard.press("Enter");
  }
  assert.deepEqual(order.slice(0, 4), ["token", "Show", "organization", "Connect"]);
  await state(page, "Live");
  assert.equal(await page.locator(".scroll").evaluate((one) => one.tabIndex), 0);
});

test("a screen reader hears the state, the refusal and the news", async () => {
  const page = await open(router.demoLink);
  await page.getByRole("region", { name: "bob" }).locator(".state", { hasText: "Live" }).waitFor();
  assert.equal(await page.locator(".panel .state[role=status]").count(), 2);
  assert.equal(await page.locator(".panel .notice[role=alert]").count(), 2);
  assert.equal(await page.getByRole("log", { name: "News for alice" }).getAttribute("aria-live"), "polite");
  const unlabelled = await page.locator("input").evaluateAll((all) => all.filter((one) => !one.labels.length).length);
  assert.equal(unlabelled, 0);
  assert.equal(await page.locator("h1").count(), 1);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
});

test("what a token field holds can be shown, and is hidden at first", async () => {
  const page = await single("");
  const token = page.getByLabel("Token", { exact: true });
  assert.equal(await token.getAttribute("type"), "password");
  await page.getByRole("button", { name: "Show" }).click();
  assert.equal(await token.getAttribute("type"), "text");
  assert.equal(await page.getByRole("button", { name: "Hide" }).getAttribute("aria-pressed"), "true");
});

/** The lowest contrast between text and what lies behind it, with the text. Runs in the page. */
function lowestContrast() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color[3] !== 0) return color;
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.disabled) continue;
    const style = getComputedStyle(node);
    const back = ground(node);
    const front = parse(style.color).map((c, index) => c * style.opacity + back[index] * (1 - style.opacity));
    const [high, low] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < worst[0]) worst = [ratio, walker.currentNode.data.trim()];
  }
  return worst;
}

for (const [name, options] of [["light", DESKTOP], ["dark", { ...DESKTOP, colorScheme: "dark" }], ["phone", PHONE], ["phone-dark", { ...PHONE, colorScheme: "dark" }]]) {
  test(`looks: ${name}`, async () => {
    const page = await open(router.demoLink, options);
    for (const who of ["alice", "bob"]) await page.getByRole("region", { name: who, exact: true }).locator(".state", { hasText: "Live" }).waitFor();
    const long = "word ".repeat(60) + "x".repeat(400);
    await router.publish("8", [{ text: "The office closes at four today.", by: "desk" }]);
    await router.publish("7", [long]);
    await news(page, "xxxx").waitFor();
    await page.getByRole("button", { name: "Try organization 7" }).click();
    await notice(page, "Not a member");
    await page.waitForTimeout(1000);
    await picture(page, `demo-${name}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels stick out`);
    const [ratio, text] = await page.evaluate(lowestContrast);
    assert.ok(ratio >= 4.5, `contrast ${ratio} of ${JSON.stringify(text)}`);
    const small = await page.locator("button:visible, input:visible").evaluateAll((all) =>
      all.filter((one) => one.getBoundingClientRect().height < 31.5).map((one) => one.textContent || one.id));
    assert.deepEqual(small, []);
  });

  test(`looks of one session: ${name}`, async () => {
    const page = await single(`token=${router.tokens.alice}`, options);
    await notice(page, "No organization");
    await picture(page, `single-${name}`);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
    const [ratio, text] = await page.evaluate(lowestContrast);
    assert.ok(ratio >= 4.5, `contrast ${ratio} of ${JSON.stringify(text)}`);
  });
}

test("the router's log holds no token", () => {
  const printed = router.log.split("\n").filter((line) => !line.includes("/#"));
  for (const token of Object.values(router.tokens)) assert.equal(printed.some((line) => line.includes(token)), false);
});
