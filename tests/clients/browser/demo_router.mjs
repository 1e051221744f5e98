/** The real router in demo mode, as a process of its own in a temporary folder, which a test may stop and start again. */

import { mkdtemp, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../../wampgate/http/page/wamp.js";
import { freePort, RouterProcess } from "./router_process.mjs";

const { WebSocket } = createRequire(process.env.NPM_FOLDER)("ws");

export class DemoRouter extends RouterProcess {

  static async start() {
    const router = new DemoRouter();
    router.folder = await mkdtemp(join(tmpdir(), "wampgate-demo-"));
    router.port = await freePort();
    router.origin = `http://127.0.0.1:${router.port}`;
    await router.run();
    router.tokens = JSON.parse(await readFile(join(router.folder, "var/demo-tokens.json"), "utf8"));
    return router;
  }

  /** Start the process, and wait until it answers. */
  run() {
    return this.launch(["--demo", "--port", String(this.port)], "/health/live");
  }

  /** A session of our client in this process: what a backend in Node would do. */
  async session(token) {
    const session = connect({ url: `ws://127.0.0.1:${this.port}/ws`, realm: "realm1", ticket: token, WebSocket });
    await session.joined();
    return session;
  }

  /** Publish as the demo's backend. */
  async publish(organization, args, kwargs = {}) {
    const session = await this.session(this.tokens.backend);
    const result = await session.call("wampgate.publish", [`organization.${organization}`, args, kwargs, {}]);
    await session.close();
    return result.args[0];
  }

  /** The demo's link with all its tokens, as the router prints it. */
  get demoLink() {
    const { alice, bob, backend, expired } = this.tokens;
    return `${this.origin}/#demo&alice=${alice}&bob=${bob}&backend=${backend}&expired=${expired}`;
  }
}
