/** The pages under examples/browser, on a web server in front of the router: stock autobahn-js, and our client. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser } from "./browser.mjs";
import { DemoRouter } from "./demo_router.mjs";
import { startFront } from "./front.mjs";

const TREE = fileURLToPath(new URL("../../../", import.meta.url));
const FILES = {
  "autobahn.html": join(TREE, "examples/browser/autobahn.html"),
  "autobahn.js": join(TREE, "examples/browser/autobahn.js"),
  "autobahn.min.js": join(process.env.NPM_FOLDER, "node_modules/autobahn-browser/autobahn.min.js"),
  "news.html": join(TREE, "examples/browser/news.html"),
  "news.js": join(TREE, "examples/browser/news.js"),
  "recovery.js": join(TREE, "wampgate/http/page/recovery.js"),
  "wamp.js": join(TREE, "wampgate/http/page/wamp.js"),
};

let router, browser, front;

before(async () => {
  [router, browser, front] = await Promise.all([DemoRouter.start(), Browser.start(), startFront(FILES, () => router.port)]);
});

after(async () => {
  await browser?.stop();
  await router?.end();
  front?.close();
});

async function open(name, token, organization) {
  const page = await browser.page(front.origin);
  await page.goto(`${front.origin}/${name}#token=${token}&organization=${organization}`);
  return page;
}

const state = (page, text) => page.locator("#state", { hasText: text }).waitFor();

for (const name of ["autobahn.html", "news.html"]) {
  test(`${name}: news of the own organization, no others, and again after a restart`, async () => {
    const page = await open(name, router.tokens.bob, "8");
    await state(page, "live");
    await router.publish("7", ["foreign"]);
    await router.publish("8", ["own"], { n: 1 });
    await page.locator("#news li", { hasText: "own" }).waitFor();
    await router.halt();
    await state(page, "reconnecting");
    await router.run();
    await page.waitForFunction(() => document.getElementById("state").textContent === "live", null, { timeout: 30_000 });
    await router.publish("8", ["after the restart"]);
    await page.locator("#news li", { hasText: "after the restart" }).waitFor();
    assert.deepEqual(await page.locator("#news li").allTextContents(), ['["own"]', '["after the restart"]']);
    await page.context().close();
  });

  test(`${name}: a refusal is told and final`, async () => {
    for (const [token, organization, uri] of [
      [router.tokens.expired, "7", "wamp.error.authentication_denied"],
      [router.tokens.bob, "7", "wamp.error.not_authorized"],
    ]) {
      const page = await open(name, token, organization);
      await state(page, uri);
      await page.waitForTimeout(1500);
      assert.match(await page.locator("#state").textContent(), new RegExp(uri));
      await page.context().close();
    }
  });
}
