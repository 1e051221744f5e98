/** The page examples/browser/staying.html in Chromium, over both libraries: `live.js` on the real router. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser } from "./browser.mjs";
import { DemoRouter } from "./demo_router.mjs";
import { startFront } from "./front.mjs";

const TREE = fileURLToPath(new URL("../../../", import.meta.url));
const MODULES = ["live.js", "live_links.js", "live_plan.js", "live_subscription.js", "recovery.js", "wamp.js"];
const FILES = {
  "staying.html": join(TREE, "examples/browser/staying.html"),
  "staying.js": join(TREE, "examples/browser/staying.js"),
  "autobahn.min.js": join(process.env.NPM_FOLDER, "node_modules/autobahn-browser/autobahn.min.js"),
  ...Object.fromEntries(MODULES.map((name) => [name, join(TREE, "wampgate/http/page", name)])),
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

async function open(over, token, organization) {
  const page = await browser.page(front.origin);
  await page.goto(`${front.origin}/staying.html#token=${token}&organization=${organization}&over=${over}`);
  return page;
}

const state = (page, text) => page.locator("#state", { hasText: text }).waitFor({ timeout: 30_000 });

for (const over of ["wamp", "autobahn"]) {
  test(`over ${over}: news, a restart that is survived, a gap that is told, an end that is final`, async () => {
    const page = await open(over, router.tokens.bob, "8");
    await state(page, "joined");
    // That it has joined says nothing of the subscription: the first news do.
    for (let asked = 0; (await page.locator("#news li").count()) === 0 && asked < 50; asked += 1) {
      await router.publish("8", ["first"]);
      await page.waitForTimeout(100);
    }
    assert.equal(await page.locator("#gap").isHidden(), true);
    await router.halt();
    await state(page, "waiting");
    await router.run();
    await state(page, "joined");
    await page.locator("#gap").waitFor({ timeout: 10_000 }); // the demo keeps no history
    await router.publish("7", ["foreign"]);
    await router.publish("8", ["after the restart"]);
    await page.locator("#news li", { hasText: "after the restart" }).waitFor();
    assert.equal(await page.locator("#news li", { hasText: "foreign" }).count(), 0);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test(`over ${over}: who is refused is told, and stays away`, async () => {
    for (const [token, organization, said] of [
      [router.tokens.expired, "7", "wamp.error.authentication_denied"],
      [router.tokens.bob, "7", "refused: wamp.error.not_authorized"],
    ]) {
      const page = await open(over, token, organization);
      await state(page, said);
      await page.waitForTimeout(1500);
      assert.ok((await page.locator("#state").textContent()).includes(said));
      await page.context().close();
    }
  });
}
