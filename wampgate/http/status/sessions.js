/** The view of who is here: pages, a search, what there is to know of each, and the way to end it. */

import { announce, by, element } from "./elements.js";
import { Kick } from "./kick.js";
import { showRefused } from "./rules.js";
import { bytes, clock, dateAndClock, duration, foreign, whole } from "./words.js";

const RULE = { actions: ["call"], uri: "wampgate.status.", match: "prefix" };
const LIMIT = 50;
/** Between two looks that joins and leaves bring about, in milliseconds. */
const PAUSE = 1_000;
const EVENTS = ["wamp.session.on_join", "wamp.session.on_leave"];

/** @typedef {Record<string, any>} Row  what `wampgate.status.sessions` says of a session */

export class Sessions {
  #shown = false;
  /** @type {number | null} */ #after = null;
  /** @type {number | null} */ #next = null;
  #search = "";
  #look = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** @type {{unsubscribe: () => Promise<void>}[]} */ #subscriptions = [];
  #live = false;
  /** Whose subscriptions these are: they outlive its connections. @type {import("./wamp.js").Session | null} */ #of = null;

  /** @param {import("./feed.js").Feed} feed */
  constructor(feed) {
    this.feed = feed;
    this.kick = new Kick(feed, () => this.#turn());
    by("search").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#find();
    });
    by("filter").addEventListener("input", () => (by("filter").value.trim() ? this.#soon(300) : this.#find()));
    by("first-page").addEventListener("click", () => this.#turn(null));
    by("next-page").addEventListener("click", () => this.#turn(this.#next));
  }

  /** Show it, and keep it current. */
  show() {
    this.#shown = true;
    this.#turn();
    this.#listen();
  }

  /** Somebody else is shown. */
  hide() {
    this.#shown = this.#live = false;
    clearTimeout(this.#timer);
    for (const { unsubscribe } of this.#subscriptions.splice(0)) unsubscribe().catch(() => {});
  }

  /** Joined, for the first time or again. */
  renew() {
    if (this.#of !== this.feed.session) {
      this.#subscriptions = [];
      this.#live = false;
      this.#of = this.feed.session;
      this.#of?.addEventListener("lost", () => (this.#live = false));
    }
    if (this.#shown) this.show();
  }

  async #listen() {
    const { session } = this.feed;
    if (!session || this.#subscriptions.length) return;
    const made = await Promise.allSettled(EVENTS.map((topic) => session.subscribe(topic, () => this.#soon(PAUSE))));
    const subscriptions = made.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (this.#shown && session === this.feed.session) this.#subscriptions = subscriptions;
    else for (const { unsubscribe } of subscriptions) unsubscribe().catch(() => {});
    this.#live = subscriptions.length === EVENTS.length;
    // What happened while it was being asked for.
    this.#soon(0);
  }

  /** Look once, however much happens until then. @param {number} wait in milliseconds */
  #soon(wait) {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#shown && !document.hidden) this.#find(false);
    }, wait);
  }

  #find(typed = true) {
    const search = by("filter").value.trim();
    if (typed || search !== this.#search) clearTimeout(this.#timer), (this.#timer = undefined);
    const changed = search !== this.#search;
    this.#search = search;
    this.#turn(changed ? null : this.#after);
  }

  /** Figures have come: without events, that is when to look again. */
  tick() {
    if (this.#shown && !this.#live) this.#turn();
  }

  /** @param {number | null} after */
  async #turn(after = this.#after) {
    if (!this.feed.joined) return;
    const look = ++this.#look;
    try {
      const { kwargs } = await this.feed.call("wampgate.status.sessions", [], { after, limit: LIMIT, search: this.#search || null });
      if (look !== this.#look) return;
      this.#after = after;
      this.#next = kwargs.next;
      showRefused(by("refused-sessions"), this.feed.authrole, null, RULE);
      this.#fill(kwargs.sessions);
    } catch (error) {
      if (look === this.#look && this.feed.joined) showRefused(by("refused-sessions"), this.feed.authrole, /** @type {any} */ (error), RULE);
    }
  }

  /** @param {Row[]} rows */
  #fill(rows) {
    const focused = document.activeElement?.closest("tr")?.dataset.session;
    const label = document.activeElement?.getAttribute("data-does");
    by("sessions-rows").replaceChildren(...rows.map((row) => this.#row(row)));
    if (focused && label) this.#focus(focused, label);
    by("first-page").disabled = this.#after === null;
    by("next-page").disabled = this.#next === null;
    const many = this.#next !== null || this.#after !== null;
    by("sessions-caption").textContent = this.#search ? `Sessions found for “${foreign(this.#search, 40)}”` : "Sessions";
    by("sessions-hint").textContent = rows.length
      ? `${whole(rows.length)} shown${many ? ", by their ids" : ""}; ${this.#live ? "live" : "looked up every 2 seconds"}, ${clock(new Date())}`
      : "No session is to be shown.";
  }

  /** The rows are new ones: whoever stood on one stays there. @param {string} session @param {string} does */
  #focus(session, does) {
    const row = [...by("sessions-rows").children].find((one) => one.dataset.session === session);
    (row?.querySelector(`[data-does=${does}]`) ?? by("filter")).focus();
  }

  /** @param {Row} row */
  #row(row) {
    const who = foreign(row.authid, 60);
    const details = element("button", { type: "button", class: "quiet", "data-does": "details" }, "Details");
    details.ariaLabel = `Details of ${who}, session ${row.session}`;
    details.addEventListener("click", () => this.#details(row));
    const own = row.session === this.feed.id;
    const kick = own ? element("span", { class: "tag" }, "this page") : element("button", { type: "button", class: "quiet warn", "data-does": "kick" }, "End…");
    if (!own) {
      kick.ariaLabel = `End session ${row.session} of ${who}`;
      kick.addEventListener("click", () => this.kick.ask(row));
    }
    const since = new Date(row.since);
    const made = element(
      "tr", { "data-session": row.session },
      element("td", { class: "text" }, element("bdi", {}, foreign(row.authid))),
      element("td", { class: "text" }, element("bdi", {}, foreign(row.authrole, 40))),
      element("td", { class: "wide" }, foreign(row.authmethod, 40)),
      element("td", { class: "wide" }, row.transport),
      element("td", { class: "wider" }, element("bdi", {}, foreign(row.peer, 60))),
      element("td", { class: "wide" }, element("time", { datetime: row.since, title: dateAndClock(since) }, duration((Date.now() - since.getTime()) / 1000))),
      element("td", { class: "number wider" }, whole(row.subscriptions)),
      element("td", { class: "number wide" }, row.queue_bytes ? bytes(row.queue_bytes) : "–"),
      element("td", { class: "doing" }, details, kick),
    );
    return made;
  }

  /** @param {Row} row */
  #details(row) {
    by("details-title").textContent = "Session";
    by("details-answer").textContent = "";
    by("details-list").replaceChildren(...Object.entries(row).flatMap(([name, value]) => [
      element("dt", {}, name.replaceAll("_", " ")),
      element("dd", {}, element("bdi", {}, value === null || value === "" ? "–" : foreign(value, 400))),
    ]));
    by("details").showModal();
    announce("");
  }
}
