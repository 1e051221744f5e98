/** Asks whether a session is to end, and why; then ends it. */

import { announce, by } from "./elements.js";
import { foreign } from "./words.js";

const KILLED = "wamp.close.killed";

export class Kick {
  /** @type {Record<string, any> | null} */ #row = null;

  /** @param {import("./feed.js").Feed} feed @param {() => void} done told after each that was ended */
  constructor(feed, done) {
    this.feed = feed;
    this.done = done;
    by("kick-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#end();
    });
    by("kick-cancel").addEventListener("click", () => by("kick").close());
  }

  /** @param {Record<string, any>} row what is known of the session */
  ask(row) {
    this.#row = row;
    by("kick-form").reset();
    by("kick-whom").textContent = `${foreign(row.authid, 60)} (${foreign(row.authrole, 40)}), from ${foreign(row.peer, 60)}, session ${row.session}`;
    by("kick-reason").placeholder = KILLED;
    by("kick-failed").hidden = true;
    by("kick").showModal();
  }

  async #end() {
    const row = this.#row;
    if (!row) return;
    const told = { ...given("reason", by("kick-reason").value), ...given("message", by("kick-message").value) };
    const all = by("kick-form").elements.which.value === "authid";
    try {
      const { args } = await (all
        ? this.feed.call("wamp.session.kill_by_authid", [row.authid], told)
        : this.feed.call("wamp.session.kill", [row.session], told));
      by("kick").close();
      announce(all ? `${args[0].length} sessions of ${foreign(row.authid, 60)} were ended` : `The session of ${foreign(row.authid, 60)} was ended`);
      this.done();
    } catch (error) {
      this.#failed(/** @type {any} */ (error), all);
    }
  }

  /** @param {{uri: string, message: string}} error @param {boolean} all */
  #failed(error, all) {
    const procedure = all ? "wamp.session.kill_by_authid" : "wamp.session.kill";
    const rule = JSON.stringify({ role: this.feed.authrole, actions: ["call"], uri: procedure });
    const missing = error.uri === "wamp.error.not_authorized";
    by("kick-failed").textContent = missing
      ? `This role may not call ${procedure}. What would allow it, in authorization.rules: ${foreign(rule, 400)}`
      : `It was not ended: ${foreign(error.message, 200)} (${foreign(error.uri)})`;
    by("kick-failed").hidden = false;
  }
}

/** A keyword argument, if something was entered. @param {string} name @param {string} value */
const given = (name, value) => (value.trim() ? { [name]: value.trim() } : {});
