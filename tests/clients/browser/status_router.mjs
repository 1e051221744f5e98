/** The real router with an operators' listener, in a temporary folder, and users in its database, whatever their names. */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../../wampgate/http/page/wamp.js";
import { freePort, RouterProcess } from "./router_process.mjs";

const { WebSocket } = createRequire(process.env.NPM_FOLDER)("ws");
const ENTER = `
import json, sqlite3, sys
from pathlib import Path
import wampgate.stores
database = sqlite3.connect("tokens.sqlite3")
database.executescript((Path(wampgate.stores.__file__).parent / "schema" / "sqlite.sql").read_text())
rows = json.load(sys.stdin)
database.executemany("INSERT INTO oauth_access_tokens VALUES (?, 'test', ?, 4102444800, '')", rows)
database.commit()
`;
const TICKETS = { operator: "the ticket of the operator", watcher: "the ticket of a watcher", member: "the ticket of a mere member" };

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** The rules that docs/status.md gives: `operator` sees and does all, `watcher` sees the figures, `stranger` nothing. */
const RULES = [
  { role: "operator", actions: ["call"], uri: "wampgate.status.", match: "prefix" },
  { role: "operator", actions: ["call"], uri: "wampgate.explain" },
  { role: "operator", actions: ["call", "subscribe"], uri: "wamp.session.", match: "prefix" },
  { role: "watcher", actions: ["call"], uri: "wampgate.status.", match: "prefix" },
  { role: "member", actions: ["subscribe", "publish"], uri: "com.", match: "prefix" },
];

export class StatusRouter extends RouterProcess {
  tickets = TICKETS;

  /** @param {string[]} users who may come */
  static async start(users) {
    const router = new StatusRouter();
    router.folder = await mkdtemp(join(tmpdir(), "wampgate-status-"));
    [router.port, router.adminPort] = [await freePort(), await freePort()];
    router.origin = `http://127.0.0.1:${router.adminPort}`;
    const rows = users.map((user) => [sha256(router.token(user)), user]);
    const entered = spawnSync(process.env.PYTHON, ["-c", ENTER], { cwd: router.folder, input: JSON.stringify(rows), encoding: "utf8" });
    if (entered.status !== 0) throw new Error(entered.stderr);
    await router.configure();
    await router.run();
    return router;
  }

  /** Write router.json. */
  configure() {
    const principals = Object.entries(TICKETS).map(([name, ticket]) => ({ authid: name, role: name, ticket_sha256: sha256(ticket) }));
    const realm = {
      name: "realm1",
      store: { type: "sqlite", path: "tokens.sqlite3", token_hash: "sha256" },
      authentication: { ticket: { role: "member" }, principals },
      authorization: { rules: RULES },
      meta_api: { sights: [{ role: "operator", sees: "all" }, { role: "watcher", sees: "own" }] },
    };
    const configuration = {
      listen: [{ endpoint: `tcp:${this.port}:interface=127.0.0.1` }],
      admin: { endpoint: `tcp:${this.adminPort}:interface=127.0.0.1` },
      realms: [realm],
    };
    return writeFile(join(this.folder, "router.json"), JSON.stringify(configuration, null, 2));
  }

  /** Start the process, and wait until it answers. */
  run() {
    return this.launch(["--config", "router.json"], "/health/ready");
  }

  /** The token of a user. */
  token(user) {
    return `the token of ${sha256(user)}`;
  }

  /** A session of our client in this process. @param {string} token @param {string} [agent] its User-Agent */
  async session(token, agent = "a test") {
    class Agent extends WebSocket {
      constructor(url, protocols) {
        super(url, protocols, { headers: { "User-Agent": agent } });
      }
    }
    const session = connect({ url: `ws://127.0.0.1:${this.port}/ws`, realm: "realm1", ticket: token, WebSocket: Agent, retry: false });
    session.ended = new Promise((resolve) => session.addEventListener("closed", (event) => resolve(event.detail)));
    await session.joined();
    return session;
  }

  /** A session of a user. */
  user(name, agent) {
    return this.session(this.token(name), agent);
  }
}
