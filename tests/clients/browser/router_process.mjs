/** A router's process in a temporary folder, which a test may stop and start again: what all kinds of routers here share. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const TWISTD = ["-c", "from twisted.scripts.twistd import run; run()"];

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class RouterProcess {
  log = "";

  /** Start the process, and wait until it answers. @param {string[]} options @param {string} path */
  async launch(options, path) {
    this.process = spawn(process.env.PYTHON, [...TWISTD, "-n", "wampgate", ...options], { cwd: this.folder });
    this.exited = once(this.process, "exit");
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (data) => (this.log += data));
    for (let waited = 0; waited < 30_000; waited += 100) {
      if (this.process.exitCode !== null) break;
      const answer = await fetch(`${this.origin}${path}`).catch(() => null);
      if (answer?.ok) return;
      await sleep(100);
    }
    throw new Error(`the router did not start:\n${this.log}`);
  }

  /** End the process. @param {NodeJS.Signals} signal */
  async halt(signal = "SIGTERM") {
    this.process.kill(signal);
    const late = globalThis.setTimeout(() => this.process.kill("SIGKILL"), 10_000);
    await this.exited;
    clearTimeout(late);
  }

  async end() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.halt();
    await rm(this.folder, { recursive: true, force: true });
  }
}
