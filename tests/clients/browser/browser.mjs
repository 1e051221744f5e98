/** A headless Chromium that keeps count of what a page must not do: errors, foreign requests, broken policies. */

import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(process.env.NPM_FOLDER)("playwright-core");

const SWITCHES = [
  "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export const DESKTOP = { viewport: { width: 1180, height: 800 } };
export const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

export class Browser {
  static async start() {
    const made = new Browser();
    // Chromium's sandbox does not work for root.
    const switches = process.getuid() === 0 ? [...SWITCHES, "--no-sandbox"] : SWITCHES;
    made.browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: switches });
    return made;
  }

  /** A page of its own profile; `page.faults` lists what it did wrong. */
  async page(origin, options = DESKTOP) {
    const context = await this.browser.newContext(options);
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => (page.faults.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
    page.on("console", (message) => {
      // A lost connection is what some tests are about.
      if (message.type() === "error" && !/WebSocket connection/.test(message.text())) page.faults.push(message.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(`${origin}/`)) page.faults.push(`foreign request: ${request.url()}`);
    });
    return page;
  }

  stop() {
    return this.browser.close();
  }
}

/** A picture for whoever looks at them: written only if SCREENSHOTS names a folder. */
export async function picture(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`), fullPage: true });
}
