/** A browser for the tutorial: opens pages and waits for what they show, as lines of JSON on stdin ask. */

import { createInterface } from "node:readline";
import { Browser, picture } from "../clients/browser/browser.mjs";

const browser = await Browser.start();
let page;
let logged = [];

const acts = {
  async open({ url }) {
    await page?.context().close();
    page = await browser.page(new URL(url).origin);
    logged = [];
    page.on("console", (message) => logged.push(message.text()));
    await page.goto(url);
  },
  async shows({ where, text }) {
    await page.locator(where, { hasText: text }).first().waitFor();
  },
  async texts({ where }) {
    return page.locator(where).allTextContents();
  },
  /** Whether its console has a text, now or in a moment. */
  async logs({ text }) {
    await page.waitForTimeout(100);
    return logged.some((line) => line.includes(text));
  },
  async faults() {
    return page.faults;
  },
  async picture({ name }) {
    await picture(page, name);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { act, ...asked } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: (await acts[act](asked)) ?? null }));
  } catch (error) {
    const shown = await page?.locator("body").innerText().catch(() => "");
    console.log(JSON.stringify({ error: `${act} ${JSON.stringify(asked)}: ${error.message}\nthe page: ${shown}` }));
  }
}
await browser.stop();
