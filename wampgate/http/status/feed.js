/**
 * One session with the router, and the figures that it brings every two seconds.
 *
 * It emits `joined` {authid, authrole}, `status` {status, refused}, `left` {message, reason, willRetry, retryIn},
 * `age` (every second: whoever shows figures says how old they are).
 *
 * @typedef {Record<string, any>} Status  what `wampgate.status.get` answers; see docs/status.md
 * @typedef {{at: number, values: Record<string, number>}} Sample  `at` in milliseconds
 */

import { WampError, connect } from "./wamp.js";

const EVERY = 2_000;
/** Figures older than this, in milliseconds, are no news any more. */
export const OLD = 3 * EVERY;
/** So far back the plots go, in milliseconds. */
export const BACK = 300_000;

export class Feed extends EventTarget {
  /** @type {import("./wamp.js").Session | null} */ session = null;
  /** @type {Status | null} */ status = null;
  /** When the figures came, in milliseconds; 0 before the first. */ at = 0;
  /** @type {Sample[]} */ samples = [];
  joined = false;
  authrole = "";
  /** The own session's id. */ id = 0;
  /** @type {ReturnType<typeof setInterval>[]} */ #timers = [];
  #asking = false;

  /** @param {string} url @param {string} realm @param {string} token */
  open(url, realm, token) {
    this.close();
    const session = connect({ url, realm, ticket: token, retry: { first: 500, longest: 10_000 } });
    this.session = session;
    const mine = () => this.session === session;
    session.addEventListener("joined", (event) => mine() && this.#joined(/** @type {CustomEvent} */ (event).detail));
    session.addEventListener("closed", (event) => mine() && this.#left(/** @type {CustomEvent} */ (event).detail));
    this.#timers = [setInterval(() => this.#poll(), EVERY), setInterval(() => this.#emit("age"), 1_000)];
  }

  /** End the session, and forget what it brought. */
  close() {
    this.#timers.splice(0).forEach(clearInterval);
    const { session } = this;
    this.session = this.status = null;
    this.joined = false;
    this.samples = [];
    this.at = 0;
    session?.close();
  }

  /** Whether what is shown is what the router said a moment ago. */
  get fresh() {
    return this.joined && Date.now() - this.at < OLD;
  }

  /**
   * @param {string} procedure @param {unknown[]} [args] @param {Record<string, unknown>} [kwargs]
   * @returns {Promise<{args: any[], kwargs: Record<string, any>}>} rejects with a WampError
   */
  async call(procedure, args = [], kwargs = {}) {
    if (!this.session) throw new WampError("wampgate.client.not_joined");
    return /** @type {any} */ (await this.session.call(procedure, args, kwargs));
  }

  /** Ask for figures now. */
  refresh() {
    return this.#poll(true);
  }

  /** @param {any} details */
  #joined({ session, authid, authrole }) {
    this.joined = true;
    this.id = session;
    this.authrole = authrole;
    this.#asking = false;
    this.#emit("joined", { authid, authrole });
    this.#poll(true);
  }

  /** @param {any} end */
  #left(end) {
    this.joined = false;
    this.#emit("left", end);
  }

  async #poll(now = false) {
    // A page that nobody sees asks for nothing; one question at a time, even if the router is slow.
    if (!this.joined || this.#asking || (document.hidden && !now)) return;
    this.#asking = true;
    const { session } = this;
    try {
      const { kwargs } = await this.call("wampgate.status.get");
      if (session === this.session) this.#take(kwargs);
    } catch (error) {
      if (session === this.session && this.joined) this.#emit("status", { status: null, refused: error });
    } finally {
      if (session === this.session) this.#asking = false;
    }
  }

  /** @param {Status} status */
  #take(status) {
    const at = Date.now();
    const values = { ...status.counters, sessions: status.sessions.total, lag: (status.loop_lag_seconds ?? 0) * 1000 };
    const last = this.samples.at(-1);
    // Counters that fall are those of another process.
    if (last && values.joins < last.values.joins) this.samples = [];
    this.samples.push({ at, values });
    while (this.samples.length && at - this.samples[0].at > BACK + EVERY) this.samples.shift();
    this.status = status;
    this.at = at;
    this.#emit("status", { status, refused: null });
  }

  /** @param {string} type @param {object} [detail] */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * What a counter grew by per second between each two samples.
 *
 * @param {Sample[]} samples @param {string} name @returns {{at: number, value: number}[]}
 */
export function rates(samples, name) {
  return samples.slice(1).map(({ at, values }, index) => {
    const before = samples[index];
    const seconds = Math.max(0.001, (at - before.at) / 1000);
    return { at, value: Math.max(0, (values[name] ?? 0) - (before.values[name] ?? 0)) / seconds };
  });
}

/** @param {Sample[]} samples @param {string} name @returns {{at: number, value: number}[]} */
export const levels = (samples, name) => samples.map(({ at, values }) => ({ at, value: values[name] ?? 0 }));
