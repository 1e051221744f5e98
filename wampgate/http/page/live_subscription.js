/**
 * One subscription of `live.js`: made on each connection, caught up with what was missed, told of its gaps and its end.
 *
 * @typedef {import("./live_links.js").Dict} Dict
 * @typedef {import("./live_links.js").Link} Link
 * @typedef {import("./recovery.js").RecoveredEvent} RecoveredEvent
 * @typedef {{topic: string, match: string, why: string, since?: string, dropped?: number | null}} Gap
 * @typedef {{topic: string, reason: string, message: string}} Lost
 * @typedef {object} SubscribeOptions
 * @property {"exact" | "prefix" | "wildcard"} [match]
 * @property {boolean} [recover]  events of a time without connection come too: true
 * @property {(gap: Gap) => void} [ongap]  told where events may be missing
 * @property {(lost: Lost) => void} [onlost]  told when the router has taken the subscription back
 */

import { curable } from "./live_links.js";
import { Returning, messageOf, reasonOf, sleep } from "./live_plan.js";
import { Recovery } from "./recovery.js";

export class Standing {
  /** @type {{unsubscribe: () => unknown} | null} */ #made = null;
  /** @type {Link | null} */ #link = null;
  /** @type {Recovery | null} */ #recovery = null;
  #wanted = true;
  #handler;
  #options;

  /** @param {string} topic @param {import("./live_links.js").EventHandler} handler @param {SubscribeOptions} options */
  constructor(topic, handler, { match = "exact", recover = true, ...options }) {
    this.topic = topic;
    this.match = match;
    this.#handler = handler;
    this.#options = options;
    const missed = (/** @type {string} */ why) => this.#tell(options.ongap, { topic, match, why });
    if (recover) this.#recovery = new Recovery((event) => this.#handle(event), missed);
  }

  /** On a connection; rejects if the router refuses. @param {Link} link */
  async make(link) {
    this.#link = link;
    this.#made = null;
    const buffer = this.#recovery?.begin();
    const made = await link.subscribe(this.topic, (args, kwargs, details) => {
      if (link !== this.#link) return;
      const { topic, publication, ...more } = details;
      this.#take({ ...more, publication, topic: topic ?? this.topic, args: args ?? [], kwargs: kwargs ?? {} });
    }, { match: this.match });
    if (!this.#wanted) return void made.unsubscribe();
    this.#made = made;
    await this.#catchUp(link, buffer);
  }

  /** On another connection, as soon as that can be decided; whether it stands. @param {Link} link @param {() => boolean} current */
  async remake(link, current) {
    const returning = new Returning(false);
    while (this.#wanted && current()) {
      try {
        await this.make(link);
      } catch (error) {
        if (!current()) break;
        if (!curable(reasonOf(error))) {
          this.lost(reasonOf(error), messageOf(error));
          return false;
        }
        returning.attempt += 1;
        await sleep(returning.wait());
        continue;
      }
      break;
    }
    return true;
  }

  /** The router has left events out: have them, if it keeps them, or tell of the gap. @param {Link} link @param {Gap} gap */
  missed(link, gap) {
    // With a pattern, or while asking already, later events may have come before the gap was told.
    if (gap.why === "slow_reader" && this.match === "exact" && this.#recovery?.busy === false) this.#catchUp(link);
    else this.#tell(this.#options.ongap, gap);
  }

  /** It is over. @param {string} reason @param {string} message */
  lost(reason, message) {
    this.#forget();
    this.#tell(this.#options.onlost, { topic: this.topic, reason, message });
  }

  async unsubscribe() {
    const made = this.#made;
    this.#forget();
    await made?.unsubscribe();
  }

  #forget() {
    this.#wanted = false;
    this.#made = this.#link = null;
  }

  /** @param {Link} link @param {RecoveredEvent[]} [buffer] */
  async #catchUp(link, buffer) {
    const ask = async (/** @type {Dict} */ position) => {
      const { kwargs } = await link.call("wampgate.history.recover", [this.topic, this.match], position);
      return /** @type {import("./recovery.js").Page} */ (kwargs);
    };
    await this.#recovery?.catchUp(ask, () => link === this.#link, buffer);
  }

  /** @param {RecoveredEvent} event */
  #take(event) {
    if (this.#recovery) this.#recovery.take(event);
    else this.#handle(event);
  }

  /** @param {RecoveredEvent} event */
  #handle({ args, kwargs, ...details }) {
    if (this.#wanted) this.#tell((event) => this.#handler(event.args, event.kwargs, event.details), { args, kwargs, details });
  }

  /** @template T @param {((what: T) => unknown) | undefined} listener @param {T} what */
  #tell(listener, what) {
    const failed = (/** @type {unknown} */ error) => console.error("live: a handler failed", error);
    try {
      const result = listener?.(what);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

/**
 * Whether a topic may match both; yes where it is not worth the while to tell.
 *
 * @param {{topic: string, match: string}} one @param {{topic: string, match: string}} other
 */
export function overlap(one, other) {
  if (one.match === "wildcard" || other.match === "wildcard") return true;
  if (one.match === "prefix" && other.topic.startsWith(one.topic)) return true;
  return one.topic === other.topic || (other.match === "prefix" && one.topic.startsWith(other.topic));
}
