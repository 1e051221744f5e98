/**
 * What a subscription of `wamp.js` has missed while it had no connection, asked of the router's history: each event
 * once, in order, and a word where some may be missing.
 *
 * @typedef {{topic: string, publication: number, args: unknown[], kwargs: Record<string, unknown>} & Record<string, unknown>} RecoveredEvent
 * @typedef {{after_publication: number | null, epoch: string | null, limit: number}} Position  as the router is asked
 * @typedef {{recovered: boolean, events: RecoveredEvent[], more: boolean, position: number | null, epoch: string | null}} Page
 */

/** So many events are remembered per subscription, so that none is handed over twice. */
const REMEMBERED = 20_000;

/** One subscription's place in the history; it outlives connections. */
export class Recovery {
  /** @type {number | null} */ #position = null;
  /** @type {string | null} */ #epoch = null;
  /** @type {Set<string>} */ #seen = new Set();
  /** What comes while the router is being asked. @type {RecoveredEvent[] | null} */ #buffer = null;
  /** Whether the router was asked before: from then on, what it can't give is missing. */ #asked = false;
  #handOver;
  #missed;

  /**
   * @param {(event: RecoveredEvent) => void} handOver
   * @param {(reason: string) => void} missed  told that events may be missing, and why
   */
  constructor(handOver, missed) {
    this.#handOver = handOver;
    this.#missed = missed;
  }

  /** Whether what comes live has to wait. */
  get busy() {
    return this.#buffer !== null;
  }

  /** About to subscribe: what comes from now on has its turn after `catchUp`. @returns {RecoveredEvent[]} */
  begin() {
    return (this.#buffer = []);
  }

  /** An event that has come now: it has its turn behind those that were missed. @param {RecoveredEvent} event */
  take(event) {
    if (this.#buffer) this.#buffer.push(event);
    else this.#once(event);
  }

  /**
   * Subscribed: get what was missed since the last event, then go on with what has come meanwhile.
   *
   * @param {(position: Position) => Promise<Page>} ask
   * @param {() => boolean} current  whether the connection is still the one that asks
   * @param {RecoveredEvent[]} buffer  what `begin` returned, if it was called
   */
  async catchUp(ask, current, buffer = this.begin()) {
    const known = this.#asked;
    try {
      for (let more = true; more; ) {
        const page = await ask({ after_publication: this.#position, epoch: this.#epoch, limit: known ? 1000 : 0 });
        this.#asked = true;
        if (known && !page.recovered) this.#missed("wampgate.client.position_unknown");
        for (const event of page.events) this.#once(event);
        this.#position = page.position;
        this.#epoch = page.epoch;
        more = known && page.more;
      }
    } catch (error) {
      // Another connection, or none: the next one recovers from where this one came to.
      if (!current() || this.#buffer !== buffer) return;
      this.#asked = true;
      const { uri, error: code } = /** @type {{uri?: string, error?: string}} */ (error);
      if (known) this.#missed(uri ?? code ?? String(error));
    }
    this.#buffer = null;
    for (const event of buffer) this.#once(event);
  }

  /** @param {RecoveredEvent} event */
  #once(event) {
    const key = `${event.publication} ${event.topic}`;
    if (this.#seen.has(key)) return;
    if (this.#seen.add(key).size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value ?? "");
    this.#position = event.publication;
    this.#handOver(event);
  }
}
