/** The view of what was refused lately, to whom and why; and whether it would be refused now. */

import { by, element } from "./elements.js";
import { showRefused } from "./rules.js";
import { clock, dateAndClock, foreign, whole } from "./words.js";

const RULE = { actions: ["call"], uri: "wampgate.status.", match: "prefix" };
const LIMIT = 200;

/** @type {Record<string, string>} */
const EVENTS = {
  join_refused: "Join refused",
  refused: "Refused",
  revoked: "Taken back",
  testament_refused: "Testament not published",
  exceeded: "Limit exceeded",
  refresh_refused: "New token refused",
  violated: "Protocol violation",
};

export class RefusalList {
  #shown = false;
  /** What the rows show, to leave them alone while nothing changes. */ #newest = "";

  /** @param {import("./feed.js").Feed} feed */
  constructor(feed) {
    this.feed = feed;
  }

  show() {
    this.#shown = true;
    this.tick();
  }

  hide() {
    this.#shown = false;
  }

  renew() {
    this.#newest = "";
    this.tick();
  }

  /** Look again. */
  async tick() {
    if (!this.#shown || !this.feed.joined) return;
    /** @type {any} */ let refused = null;
    try {
      const { kwargs } = await this.feed.call("wampgate.status.refusals", [], { limit: LIMIT });
      this.#fill(kwargs.refusals);
    } catch (error) {
      if (!this.feed.joined) return;
      refused = error;
    }
    showRefused(by("refused-refusals"), this.feed.authrole, refused, RULE);
  }

  /** @param {Record<string, any>[]} refusals */
  #fill(refusals) {
    const newest = JSON.stringify([refusals.length, refusals[0], refusals.at(-1)]);
    if (newest === this.#newest) return;
    this.#newest = newest;
    by("refusals-caption").textContent = refusals.length ? "The last refusals, newest first" : "Nothing was refused lately";
    by("refusals-rows").replaceChildren(...refusals.map((refusal) => this.#row(refusal)));
  }

  /** @param {Record<string, any>} refusal */
  #row(refusal) {
    const who = refusal.authid ?? refusal.peer;
    const times = refusal.count > 1 ? element("span", { class: "tag" }, `${whole(refusal.count)} times`) : null;
    return element(
      "tr", {},
      element("td", { class: "wide" }, time(refusal.time)),
      element("td", { class: "text" }, element("bdi", {}, foreign(who, 80)), element("span", { class: "beside" }, refusal.authrole ? foreign(refusal.authrole, 40) : "not joined")),
      element(
        "td", { class: "text" },
        element("span", { class: "beside" }, what(refusal)), refusal.uri ? element("bdi", {}, foreign(refusal.uri)) : null, times,
        element("span", { class: "beside narrow" }, time(refusal.time)),
      ),
      element("td", { class: "text wide" }, foreign(refusal.because, 300)),
      element("td", { class: "doing" }, this.#button(refusal)),
    );
  }

  /** @param {Record<string, any>} refusal */
  #button(refusal) {
    const asks = refusal.authid && refusal.action && refusal.uri;
    const button = element("button", { type: "button", class: "quiet" }, asks ? "Explain" : "Details");
    button.ariaLabel = `${asks ? "Explain" : "Details of"} the refusal of ${foreign(refusal.authid ?? refusal.peer, 60)}`;
    button.addEventListener("click", () => this.#explain(refusal, Boolean(asks)));
    return button;
  }

  /** @param {Record<string, any>} refusal @param {boolean} asks */
  async #explain(refusal, asks) {
    by("details-title").textContent = EVENTS[refusal.event] ?? foreign(refusal.event);
    by("details-list").replaceChildren(...Object.entries(refusal).flatMap(([name, value]) =>
      value === null || value === "" ? [] : [element("dt", {}, name), element("dd", {}, element("bdi", {}, foreign(value, 400)))],
    ));
    by("details-answer").textContent = asks ? "Asking how it would be decided now…" : "";
    by("details").showModal();
    if (!asks) return;
    by("details-answer").textContent = await this.#decidedNow(refusal);
  }

  /** @param {Record<string, any>} refusal */
  async #decidedNow({ authid, action, uri, match }) {
    try {
      const { kwargs } = await this.feed.call("wampgate.explain", [authid, action, uri, match ?? "exact"]);
      const verdict = kwargs.failed ? "could not be decided" : kwargs.allowed ? "allowed" : "refused";
      return `Now it is ${verdict} (role ${foreign(kwargs.authrole, 60)}): ${foreign(kwargs.because, 300)}`;
    } catch (error) {
      const { uri: reason, message } = /** @type {{uri: string, message: string}} */ (error);
      const rule = reason === "wamp.error.not_authorized" ? ' A rule with "actions": ["call"] and "uri": "wampgate.explain" would allow to ask.' : "";
      return `How it would be decided now can't be said: ${foreign(message, 200)} (${foreign(reason)}).${rule}`;
    }
  }
}

/** @param {string} text ISO 8601 */
function time(text) {
  const at = new Date(text);
  return element("time", { datetime: text, title: dateAndClock(at) }, clock(at));
}

/** @param {Record<string, any>} refusal */
function what({ event, action, match }) {
  if (!action) return EVENTS[event] ?? foreign(event);
  return match && match !== "exact" ? `${action}, ${match}` : action;
}
