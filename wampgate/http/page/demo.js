/** The demo: two users side by side and the backend that publishes, each in a session of its own. */

import { connect } from "./wamp.js";
import { explain } from "./reasons.js";
import { MOST_TOPICS, Panel, StateMark, copyOf, isOrganization, url } from "./panel.js";

/** Asked for where no other organization is known to be foreign. */
const NOBODYS = "9";

/** @param {HTMLElement} main @param {Record<string, string>} link @param {string} realm @returns {import("./page.js").Sessions} */
export function showDemo(main, link, realm) {
  main.replaceChildren(copyOf("demo-view"));
  /** @type {any} */ (document.getElementById("tagline")).textContent = "Demo: two users and a backend";
  const known = new KnownOrganizations();
  const place = /** @type {HTMLElement} */ (document.getElementById("panels"));
  const panels = ["alice", "bob"].map((name) => {
    const panel = new Panel(name, place);
    showUser(panel, name, link, realm, known);
    return panel;
  });
  offerExpired(panels[0], link, realm);
  const publisher = new Publisher(link.backend ?? "", realm);
  return () => [publisher.session, ...panels.map((panel) => panel.session)];
}

/** The organizations that the demo's users belong to, as their sessions tell. */
class KnownOrganizations {
  constructor() {
    /** @type {Map<Panel, string[]>} */
    this.byPanel = new Map();
    /** @type {(() => void)[]} */
    this.listeners = [];
  }

  /** @param {() => void} listener called now and whenever more is known */
  whenLearned(listener) {
    this.listeners.push(listener);
    listener();
  }

  /** @param {Panel} panel @param {string[]} organizations */
  learn(panel, organizations) {
    this.byPanel.set(panel, organizations);
    const all = new Set([...this.byPanel.values()].flat());
    const list = /** @type {HTMLElement} */ (document.getElementById("known"));
    list.replaceChildren(...[...all].sort().map((id) => new Option(id, id)));
    for (const listener of this.listeners) listener();
  }

  /** One that others belong to and this user doesn't. @param {Panel} panel */
  foreignTo(panel) {
    const own = this.byPanel.get(panel) ?? [];
    return [...this.byPanel.values()].flat().find((id) => !own.includes(id)) ?? NOBODYS;
  }
}

/** @param {Panel} panel @param {string} name @param {Record<string, string>} link @param {string} realm @param {KnownOrganizations} known */
function showUser(panel, name, link, realm, known) {
  const attempt = panel.attempt("", () => panel.watch(known.foreignTo(panel)));
  known.whenLearned(() => (attempt.textContent = `Try organization ${known.foreignTo(panel)}`));
  panel.onOrganizations = (organizations) => {
    known.learn(panel, organizations);
    for (const organization of organizations.slice(0, MOST_TOPICS)) panel.watch(organization);
  };
  panel.open({ token: link[name] ?? "", realm });
}

/** Alice's old token: a session apart, so that hers lives on. @param {Panel} panel @param {Record<string, string>} link @param {string} realm */
function offerExpired(panel, link, realm) {
  if (!link.expired) return;
  panel.attempt("Try her expired token", () => {
    const session = connect({ url, realm, ticket: link.expired, retry: false });
    session.addEventListener("joined", () => session.close());
    session.addEventListener("closed", (event) => {
      const end = /** @type {CustomEvent} */ (event).detail;
      panel.notice("bad", explain(end), end.reason);
    });
  });
}

/** The form that publishes, as a backend would: by calling `wampgate.publish`. */
class Publisher {
  /** @param {string} token @param {string} realm */
  constructor(token, realm) {
    /** @param {string} selector @returns {any} */
    const part = (selector) => document.querySelector(`#publish ${selector}`);
    this.mark = new StateMark(part(".state"));
    this.to = part("#to");
    this.text = part("#text");
    this.said = part("#published");
    this.to.value = "7";
    this.text.value = "Hello, members";
    this.session = connect({ url, realm, ticket: token || undefined });
    this.follow();
    part(".primary").form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.publish();
    });
  }

  follow() {
    /** @param {string} type @param {(detail: any) => void} show */
    const on = (type, show) => this.session.addEventListener(type, (event) => show(/** @type {CustomEvent} */ (event).detail));
    on("connecting", () => this.mark.show("connecting", "Connecting"));
    on("joined", () => this.mark.show("live", "Ready"));
    on("closed", (end) => {
      this.mark.show(end.willRetry ? "waiting" : "closed", end.willRetry ? "Reconnecting" : "Closed", end.retryIn);
      if (!end.willRetry) this.failed(explain(end));
    });
  }

  async publish() {
    const organization = this.to.value.trim();
    if (!isOrganization(organization)) {
      this.failed({ title: "Not an organization id", text: "It has only letters, digits, “-” and “_”." });
      return;
    }
    const topic = `organization.${organization}`;
    try {
      const result = await this.session.call("wampgate.publish", [topic, [{ text: this.text.value }], {}, {}]);
      this.said.className = "hint good";
      this.said.textContent = `Published to ${topic}, publication ${result.args[0]}`;
      this.text.select();
    } catch (error) {
      const { uri, message } = /** @type {any} */ (error);
      this.failed(explain({ reason: uri, message }));
    }
  }

  /** @param {{title: string, text: string}} reason */
  failed({ title, text }) {
    this.said.className = "hint bad";
    this.said.textContent = `${title}. ${text}`;
  }
}
