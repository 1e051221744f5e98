/** The view of what is subscribed to most. */

import { by, element } from "./elements.js";
import { showRefused } from "./rules.js";
import { foreign, whole } from "./words.js";

const RULE = { actions: ["call"], uri: "wampgate.status.", match: "prefix" };
const LIMIT = 100;

export class Topics {
  #shown = false;

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
    this.tick();
  }

  /** Look again. */
  async tick() {
    if (!this.#shown || !this.feed.joined) return;
    /** @type {any} */ let refused = null;
    try {
      const { kwargs } = await this.feed.call("wampgate.status.topics", [], { limit: LIMIT });
      this.#fill(kwargs.topics, kwargs.total);
    } catch (error) {
      if (!this.feed.joined) return;
      refused = error;
    }
    showRefused(by("refused-topics"), this.feed.authrole, refused, RULE);
  }

  /** @param {Record<string, any>[]} topics @param {number} total */
  #fill(topics, total) {
    const most = Math.max(1, ...topics.map(({ subscribers }) => subscribers));
    by("topics-caption").textContent =
      total > topics.length ? `The ${topics.length} topics with the most subscribers, of ${whole(total)}` : "Topics, those with the most subscribers first";
    by("topics-rows").replaceChildren(...topics.map(({ topic, match, subscribers }) => {
      const bar = element("span", { class: "share", "aria-hidden": "true" });
      bar.style.setProperty("--share", String(subscribers / most));
      return element(
        "tr", {},
        element("td", { class: "text" }, element("bdi", {}, topic === "" ? "(all topics)" : foreign(topic))),
        element("td", { class: "wide" }, match),
        element("td", { class: "number" }, bar, whole(subscribers)),
      );
    }));
  }
}
