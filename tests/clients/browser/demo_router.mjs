/** The real router in demo mode, as a process of its own in a temporary folder, which a test may stop and start again. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../../wampgate/http/page/wamp.js";

const { WebSocket } = createRequire(process.env.NPM_FOLDER)("ws");
const TWISTD = ["-c", "from twisted.scripts.twistd import run; run()"];

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class DemoRouter {
  log = "";

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
  async run() {
    const options = ["-n", "wampgate", "--demo", "--port", String(this.port)];
    this.process = spawn(process.env.PYTHON, [...TWISTD, ...options], { cwd: this.folder });
    this.exited = once(this.process, "exit");
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (data) => (this.log += data));
    for (let waited = 0; waited < 20_000; waited += 100) {
      if (this.process.exitCode !== null) break;
      const answer = await fetch(`${this.origin}/health/live`).catch(() => null);
      if (answer?.ok) return;
      await sleep(100);
    }
    throw new Error(`the router did not start:\n${this.log}`);
  }

  /** End the process. @param {"SIGTERM" | "SIGKILL"} signal */
  async halt(signal = "SIGTERM") {
    this.process.kill(signal);
    const late = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
    await this.exited;
    clearTimeout(late);
  }

  async end() {
    await this.halt();
    await rm(this.folder, { recursive: true, force: true });
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
