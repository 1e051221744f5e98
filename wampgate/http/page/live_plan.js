/**
 * What `live.js` does when a connection has ended or a token soon will: whether to come back, when, and when to show
 * a new token. The table of ends is the one of docs/close-reasons.md.
 *
 * @typedef {import("./live_links.js").End} End
 * @typedef {import("./live_links.js").Link} Link
 */

import { curable } from "./live_links.js";

const TOKEN_EXPIRED = "wampgate.close.token_expired";
/** A session that lived this long, in milliseconds, ended by itself: the next wait is a short one again. */
const SETTLED = 10_000;
/** With so little left, in milliseconds, it is not tried again: a new connection comes anyway. */
const LAST_CHANCE = 2_000;

/** @param {number} wait in milliseconds */
export const sleep = (wait) => new Promise((resolve) => setTimeout(resolve, wait));

/** What went wrong: a URI if there is one. @param {any} error @returns {string} */
export const reasonOf = (error) => error?.uri ?? error?.error ?? String(error);

/** @param {any} error @returns {string} */
export const messageOf = (error) => String(error?.args?.[0] ?? error?.message ?? reasonOf(error));

/** Decides after each end whether to come back, and draws the wait before: evenly, below a bound that doubles. */
export class Returning {
  attempt = 0;
  #joinedAt = Infinity;
  #renewable;
  #first;
  #longest;
  #random;

  /** @param {boolean} renewable  whether a new token can be had @param {number} [first] @param {number} [longest] @param {() => number} [random] */
  constructor(renewable, first = 1_000, longest = 30_000, random = Math.random) {
    this.#renewable = renewable;
    this.#first = first;
    this.#longest = longest;
    this.#random = random;
  }

  joined() {
    this.#joinedAt = Date.now();
  }

  /** The wait before the next attempt, in milliseconds; null if none may succeed. @param {End} end */
  waitAfter({ reason, curable }) {
    if (Date.now() - this.#joinedAt > SETTLED) this.attempt = 0;
    this.#joinedAt = Infinity;
    return curable || (reason === TOKEN_EXPIRED && this.#renewable) ? this.wait() : null;
  }

  wait() {
    return Math.min(this.#longest, this.#first * 2 ** Math.max(0, this.attempt - 1)) * this.#random();
  }
}

/** A token, and what fetches it anew. */
export class Tokens {
  /** What the router was shown. @type {string | undefined} */ #shown;
  #token;
  #busy = false;

  /** @param {string | (() => string | Promise<string>) | undefined} token */
  constructor(token) {
    this.#token = token;
  }

  /** For a new connection. */
  async fetch() {
    return (this.#shown = await this.#fetch());
  }

  /**
   * The router says that the token ends soon: show it another, as often as it takes until it will warn again.
   *
   * @param {Link} link @param {number} warned  so many seconds before the end @param {() => boolean} current
   */
  async renew(link, warned, current) {
    if (typeof this.#token !== "function" || this.#busy) return;
    this.#busy = true;
    for (let end = Date.now() + warned * 1000; current(); ) {
      try {
        const token = await this.#fetch();
        if (token !== this.#shown && current()) {
          const left = /** @type {number | null} */ ((await link.call("wampgate.auth.refresh", [token])).args[0] ?? null);
          this.#shown = token;
          if (left === null || left > warned) break;
          end = Date.now() + left * 1000;
        }
      } catch (error) {
        // What the router refuses for good is not shown again; what fetches the token may have more luck later.
        if (/^wamp/.test(reasonOf(error)) && !curable(reasonOf(error))) break;
      }
      if (end - Date.now() < LAST_CHANCE) break;
      await sleep(Math.max(1_000, (end - Date.now()) / 2));
    }
    this.#busy = false;
  }

  async #fetch() {
    return typeof this.#token === "function" ? this.#token() : this.#token;
  }
}
