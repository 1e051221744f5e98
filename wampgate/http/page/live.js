/**
 * A session that stays: it comes back with jitter, subscribes again and gets what it missed, and shows a new token
 * before the old one ends. Over stock autobahn-js, or over our own `wamp.js`, by one of the links of `live_links.js`:
 *
 *     const session = live({ open: overWamp(connect, { url, realm }), token: fetchToken, onstate: console.log });
 *     await session.subscribe("organization.7", (args, kwargs) => show(args), { ongap: loadAnew, onlost: hide });
 *
 * @typedef {import("./live_links.js").Args} Args
 * @typedef {import("./live_links.js").Dict} Dict
 * @typedef {import("./live_links.js").Link} Link
 * @typedef {import("./live_links.js").End} End
 * @typedef {{name: "connecting" | "joined" | "waiting" | "closed", attempt: number, reason: string, message: string, retryIn: number}} State
 *   `retryIn` in milliseconds
 * @typedef {import("./live_subscription.js").Gap} Gap
 * @typedef {import("./live_subscription.js").Lost} Lost
 * @typedef {import("./live_subscription.js").SubscribeOptions} SubscribeOptions
 * @typedef {object} LiveOptions
 * @property {import("./live_links.js").Open} open
 * @property {string | (() => string | Promise<string>)} [token]  a token, or what fetches a fresh one
 * @property {{first?: number, longest?: number}} [retry]  the bounds of the waits, in milliseconds: 1000 and 30000
 * @property {(state: State) => void} [onstate]  told of each change
 * @property {() => number} [random]  from 0 to 1
 */

import { Returning, Tokens, sleep } from "./live_plan.js";
import { Standing, overlap } from "./live_subscription.js";

/** @type {End} */ const CLOSED_HERE = { reason: "wamp.close.normal", message: "closed here", curable: false };

/** @param {LiveOptions} options @returns {Live} a session that is connecting already */
export const live = (options) => new Live(options);

export class Live {
  /** @type {State} */ state = { name: "connecting", attempt: 0, reason: "", message: "", retryIn: 0 };
  /** @type {LiveOptions} */ #options;
  /** @type {Link | null} */ #link = null;
  /** @type {Set<Standing>} */ #standing = new Set();
  /** Who waits for a connection. @type {Set<{resolve: (link: Link) => void, reject: (error: Error) => void}>} */ #waiting = new Set();
  /** @type {(() => void) | null} */ #leave = null;
  /** Ends what is being waited for. */ #wake = () => {};
  #left = false;
  #returning;
  #tokens;

  /** @param {LiveOptions} options */
  constructor(options) {
    const { token, retry, random } = options;
    this.#options = options;
    this.#tokens = new Tokens(token);
    this.#returning = new Returning(typeof token === "function", retry?.first, retry?.longest, random);
    queueMicrotask(() => this.#live());
  }

  /** The connection, once there is one; rejects once closed for good. @returns {Promise<Link>} */
  joined() {
    if (this.#link) return Promise.resolve(this.#link);
    if (this.state.name === "closed") return Promise.reject(closedError(this.state));
    return new Promise((resolve, reject) => this.#waiting.add({ resolve, reject }));
  }

  /**
   * Receive a topic's events. Rejects if the router refuses.
   *
   * @param {string} topic @param {import("./live_links.js").EventHandler} handler @param {SubscribeOptions} [options]
   * @returns {Promise<{topic: string, unsubscribe: () => Promise<void>}>}
   */
  async subscribe(topic, handler, options = {}) {
    const standing = new Standing(topic, handler, options);
    for (;;) {
      const link = await this.joined();
      this.#standing.add(standing);
      try {
        await standing.make(link);
        return { topic, unsubscribe: () => this.#unsubscribe(standing) };
      } catch (error) {
        this.#standing.delete(standing);
        if (link === this.#link) throw error;
      }
    }
  }

  /** Waits for a connection, if there is none. @param {string} procedure @param {Args} [args] @param {Dict} [kwargs] @param {Dict} [options] */
  async call(procedure, args, kwargs, options) {
    return (await this.joined()).call(procedure, args, kwargs, options);
  }

  /** Waits for a connection, if there is none. @param {string} topic @param {Args} [args] @param {Dict} [kwargs] @param {Dict} [options] */
  async publish(topic, args, kwargs, options = { acknowledge: true }) {
    return (await this.joined()).publish(topic, args, kwargs, options);
  }

  /** Leave, and stay away. */
  close() {
    this.#left = true;
    this.#leave?.();
    this.#wake();
  }

  /** Connect now instead of when the wait is over. */
  retry() {
    this.#wake();
  }

  async #live() {
    for (let end = CLOSED_HERE; ; ) {
      this.#returning.attempt += 1;
      this.#tell({ name: "connecting" });
      end = await this.#connection();
      const wait = this.#left ? null : this.#returning.waitAfter(end);
      if (wait !== null) {
        this.#tell({ name: "waiting", reason: end.reason, message: end.message, retryIn: wait });
        await Promise.race([sleep(wait), new Promise((resolve) => (this.#wake = () => resolve(undefined)))]);
      }
      if (wait === null || this.#left) return this.#closed(this.#left ? CLOSED_HERE : end);
    }
  }

  /** One connection, from the first to the last. @returns {Promise<End>} */
  async #connection() {
    const ended = new Promise((/** @type {(end: End) => void} */ resolve) => {
      this.#wake = () => this.#left && resolve(CLOSED_HERE);
      this.#tokens.fetch().then(
        (token) => {
          const joined = (/** @type {Link} */ link) => this.#joined(link);
          if (!this.#left) this.#leave = this.#options.open(token, { joined, closed: resolve });
        },
        () => resolve({ reason: "wampgate.client.no_token", message: "The token could not be fetched.", curable: true }),
      );
    });
    const end = await ended;
    this.#link = this.#leave = null;
    return end;
  }

  /** @param {Link} link */
  #joined(link) {
    if (this.#left) return;
    this.#link = link;
    this.#returning.joined();
    const hear = (/** @type {string} */ topic, /** @type {(kwargs: Dict) => void} */ heard) =>
      // Another router than wampgate refuses these.
      link.subscribe(topic, (_, kwargs) => heard(kwargs)).catch(() => {});
    hear("wampgate.gap", (gap) => this.#missed(link, /** @type {Gap} */ (gap)));
    hear("wampgate.revoked", (told) => this.#revoked(told));
    hear("wampgate.auth.expiring", ({ seconds }) => this.#tokens.renew(link, seconds, () => link === this.#link));
    for (const standing of this.#standing) this.#remake(link, standing);
    this.#tell({ name: "joined" });
    for (const { resolve } of this.#waiting) resolve(link);
    this.#waiting.clear();
  }

  /** @param {Link} link @param {Standing} standing */
  async #remake(link, standing) {
    const stands = await standing.remake(link, () => link === this.#link);
    if (!stands) this.#standing.delete(standing);
  }

  /** @param {Link} link @param {Gap} gap */
  #missed(link, gap) {
    const concerned = [...this.#standing].filter((standing) => overlap(standing, gap));
    // Of a slow reader's losses each subscription is told by its own pattern, unless they are too many.
    const same = concerned.filter(({ topic, match }) => gap.why === "slow_reader" && topic === gap.topic && match === gap.match);
    for (const standing of same.length ? same : concerned) standing.missed(link, gap);
  }

  /** @param {Dict} told */
  #revoked({ topic, match, reason, message }) {
    for (const standing of this.#standing) {
      if (standing.topic !== topic || standing.match !== match) continue;
      this.#standing.delete(standing);
      standing.lost(reason, message);
    }
  }

  /** @param {Standing} standing */
  async #unsubscribe(standing) {
    this.#standing.delete(standing);
    await standing.unsubscribe();
  }

  /** @param {End} end */
  #closed({ reason, message }) {
    this.#tell({ name: "closed", reason, message });
    for (const { reject } of this.#waiting) reject(closedError(this.state));
    this.#waiting.clear();
  }

  /** @param {Partial<State> & {name: State["name"]}} change */
  #tell(change) {
    this.state = { attempt: this.#returning.attempt, reason: "", message: "", retryIn: 0, ...change };
    this.#options.onstate?.(this.state);
  }
}

/** @param {State} state */
const closedError = ({ reason, message }) => Object.assign(new Error(message), { uri: reason });
