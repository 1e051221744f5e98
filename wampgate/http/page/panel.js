/**
 * One session as the page shows it: its state, what it listens to, its news, and why it was refused.
 *
 * Whatever comes from the router (ids, URIs, payloads, reasons) is written as text, never as markup.
 */

import { connect } from "./wamp.js";
import { explain } from "./reasons.js";

const MOST_EVENTS = 200;
/** So many topics a panel listens to and so many choices it offers. */
export const MOST_TOPICS = 20;
const MOST_CHARACTERS = 4000;

/** An organization id as the router takes it; with a dot it would be another's topic. @param {string} text */
export const isOrganization = (text) => /^[A-Za-z0-9_-]{1,64}$/.test(text);

/** The router behind this page. */
export const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;

/** @param {string} tag @param {string} className @param {string} text */
export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** @param {Date} time */
const clock = (time) => time.toLocaleTimeString([], { hour12: false });

/** @param {string} id of a template @returns {DocumentFragment} */
export function copyOf(id) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {DocumentFragment} */ (template.content.cloneNode(true));
}

/** A state in words and colour, with a countdown that screen readers are spared. */
export class StateMark {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.text = /** @type {HTMLElement} */ (root.querySelector(".state-text"));
    this.count = element("span", "count");
    this.count.ariaHidden = "true";
    root.append(this.count);
    this.timer = 0;
  }

  /** @param {"idle" | "connecting" | "joined" | "live" | "waiting" | "closed"} state @param {string} text @param {number} [wait] */
  show(state, text, wait = 0) {
    this.root.dataset.state = state;
    this.text.textContent = text;
    clearInterval(this.timer);
    this.count.textContent = "";
    if (!wait) return;
    const end = Date.now() + wait;
    const tick = () => (this.count.textContent = ` in ${Math.max(1, Math.ceil((end - Date.now()) / 1000))} s`);
    tick();
    this.timer = setInterval(tick, 250);
  }
}

export class Panel {
  /** @param {string} name @param {HTMLElement} place */
  constructor(name, place) {
    const fragment = copyOf("panel");
    this.root = /** @type {HTMLElement} */ (fragment.querySelector(".panel"));
    /** @param {string} selector @returns {any} */
    const part = (selector) => this.root.querySelector(selector);
    this.state = new StateMark(part(".state"));
    this.name = part(".name");
    this.retry = part(".retry");
    this.topics = part(".topics");
    this.noticeBox = part(".notice");
    this.attempts = part(".attempts");
    this.scroll = part(".scroll");
    this.events = part(".events");
    this.empty = part(".empty");
    /** @type {import("./wamp.js").Session | null} */
    this.session = null;
    /** @type {Set<string>} */
    this.subscribed = new Set();
    this.joined = false;
    /** When the connection was lost; null while nothing can have been missed. @type {Date | null} */
    this.lostAt = null;
    /** Called with WELCOME's organizations. @type {(organizations: string[]) => void} */
    this.onOrganizations = () => {};
    this.rename(name);
    this.hint("Not connected.");
    this.retry.addEventListener("click", () => this.session?.retry());
    place.append(fragment);
  }

  /** @param {string} name */
  rename(name) {
    this.name.textContent = name;
    this.root.setAttribute("aria-label", name);
    this.scroll.setAttribute("aria-label", `News for ${name}`);
    this.attempts.setAttribute("aria-label", `Try as ${name}`);
  }

  /** What stands where no news are yet. @param {string} text */
  hint(text) {
    this.empty.textContent = text;
  }

  /** @param {"bad" | "wait" | "info"} kind @param {{title: string, text: string}} reason @param {string} [uri] */
  notice(kind, { title, text }, uri = "") {
    this.noticeBox.className = `notice ${kind}`;
    this.noticeBox.replaceChildren(element("strong", "", title), element("span", "", text));
    if (uri) this.noticeBox.append(element("code", "", uri));
    this.noticeBox.hidden = false;
  }

  clearNotice() {
    this.noticeBox.hidden = true;
    this.noticeBox.replaceChildren();
  }

  /** Ask the person to choose. @param {string[]} organizations @param {(organization: string) => void} chosen */
  offer(organizations, chosen) {
    const text = organizations.length ? "Choose one of yours, or enter an id." : "This user belongs to none.";
    this.notice("info", { title: "No organization", text });
    const choices = element("span", "choices");
    for (const organization of organizations.slice(0, MOST_TOPICS)) {
      const button = element("button", "chip", organization);
      button.setAttribute("type", "button");
      button.addEventListener("click", () => chosen(organization));
      choices.append(button);
    }
    this.noticeBox.append(choices);
  }

  /** Connect anew; the panel shows this session from now on. @param {{token: string, realm: string, organization?: string}} as */
  open({ token, realm, organization }) {
    this.session?.close();
    this.subscribed.clear();
    this.joined = false;
    this.lostAt = null;
    this.clearNotice();
    this.showTopics();
    const authextra = organization ? { organization } : undefined;
    const session = connect({ url, realm, ticket: token || undefined, authextra });
    this.session = session;
    /** @param {string} type @param {(detail: any) => void} show */
    const on = (type, show) =>
      session.addEventListener(type, (event) => this.session === session && show(/** @type {CustomEvent} */ (event).detail));
    on("connecting", () => this.showConnecting());
    on("joined", (detail) => this.showJoined(detail));
    on("lost", (detail) => this.showLost(detail));
    on("closed", (detail) => this.showClosed(detail, organization ?? ""));
    return session;
  }

  /** @param {string} organization */
  async watch(organization) {
    const { session } = this;
    const topic = `organization.${organization}`;
    if (!session || this.subscribed.has(topic)) return;
    try {
      await session.subscribe(topic, (args, kwargs, details) => this.addEvent(topic, args, kwargs, details));
      if (session !== this.session) return;
      this.subscribed.add(topic);
      this.clearNotice();
      this.showLive();
    } catch (error) {
      // What ended the session is shown by its "closed" event.
      if (session === this.session && session.state === "joined") this.refused(/** @type {any} */ (error), organization);
    }
  }

  /** @param {import("./wamp.js").WampError} error @param {string} organization */
  refused(error, organization) {
    const said = error.args?.[0];
    this.notice("bad", explain({ reason: error.uri, message: typeof said === "string" ? said : "" }, organization), error.uri);
  }

  showConnecting() {
    this.retry.hidden = true;
    this.state.show("connecting", "Connecting");
  }

  /** @param {{authid: unknown, organizations: unknown}} welcome */
  showJoined({ authid, organizations }) {
    this.joined = true;
    this.clearNotice();
    if (this.lostAt) this.addGap(this.lostAt);
    this.lostAt = null;
    if (typeof authid === "string" && authid) this.rename(authid);
    this.showLive();
    this.onOrganizations(Array.isArray(organizations) ? organizations.map(String) : []);
  }

  showLive() {
    const live = this.subscribed.size > 0;
    this.state.show(live ? "live" : "joined", live ? "Live" : "Connected");
    this.hint(live ? "No news yet. What is published from now on appears here." : "Not listening to any organization.");
    this.showTopics();
  }

  showTopics() {
    const topics = [...this.subscribed].slice(0, MOST_TOPICS);
    this.topics.hidden = topics.length === 0;
    this.topics.replaceChildren("Listening to ", ...topics.map((topic) => element("code", "tag", topic)));
  }

  /** @param {{topic: string, reason: string, message: string}} lost */
  showLost({ topic, reason, message }) {
    this.subscribed.delete(topic);
    this.showLive();
    this.notice("bad", explain({ reason, message }, topic.replace(/^organization\./, "")), reason);
  }

  /** @param {{reason: string, message: string, willRetry: boolean, retryIn: number}} closed @param {string} organization */
  showClosed({ reason, message, willRetry, retryIn }, organization) {
    const left = reason === "wamp.close.normal";
    this.retry.hidden = !willRetry;
    if (willRetry) this.state.show("waiting", "Reconnecting", retryIn);
    else this.state.show(left ? "idle" : "closed", left ? "Disconnected" : this.joined ? "Ended" : "Refused");
    if (willRetry && this.subscribed.size) this.lostAt ??= new Date();
    const unreached = reason === "wampgate.client.connection_lost" && !this.joined && !this.lostAt;
    this.joined = false;
    if (!willRetry) this.subscribed.clear();
    this.showTopics();
    this.hint(willRetry ? "Waiting for the router." : "Not connected.");
    if (left) this.clearNotice();
    else {
      const said = explain({ reason: unreached ? "wampgate.client.unreachable" : reason, message }, organization);
      this.notice(willRetry ? "wait" : "bad", said, reason);
    }
  }

  /** Events that were published while nobody listened don't come later: say so. @param {Date} lostAt */
  addGap(lostAt) {
    this.add(element("li", "gap", `Not connected from ${clock(lostAt)} to ${clock(new Date())}: news of that time are missing.`));
  }

  /** @param {string} topic @param {unknown[]} args @param {Record<string, unknown>} kwargs @param {Record<string, unknown>} details */
  addEvent(topic, args, kwargs, details) {
    const now = new Date();
    const item = element("li", "event");
    const head = element("div", "event-head");
    const time = element("time", "", clock(now));
    time.setAttribute("datetime", now.toISOString());
    head.append(time, element("code", "tag", typeof details.topic === "string" ? details.topic : topic));
    item.append(head);
    const text = headline(args, kwargs);
    if (text) item.append(element("p", "event-text", text.slice(0, MOST_CHARACTERS)));
    const data = rest(args, kwargs, text);
    if (data) item.append(element("code", "event-data", data.slice(0, MOST_CHARACTERS)));
    this.add(item);
  }

  /** @param {HTMLElement} item */
  add(item) {
    this.events.prepend(item);
    while (this.events.children.length > MOST_EVENTS) this.events.lastElementChild.remove();
  }

  /** Offer something to try, as a button. @param {string} text @param {() => void} act */
  attempt(text, act) {
    const button = element("button", "", text);
    button.setAttribute("type", "button");
    button.addEventListener("click", act);
    this.attempts.append(button);
    this.attempts.hidden = false;
    return button;
  }
}

/** The words in a payload, where there are any. @param {unknown[]} args @param {Record<string, unknown>} kwargs */
function headline(args, kwargs) {
  const last = args[args.length - 1];
  for (const source of [kwargs, last]) {
    if (!isDict(source)) continue;
    const { text, message, title } = source;
    for (const words of [text, message, title]) if (typeof words === "string" && words) return words;
  }
  return typeof last === "string" ? last : "";
}

/** The payload as JSON; empty if the headline says it all. @param {unknown[]} args @param {Record<string, unknown>} kwargs @param {string} text */
function rest(args, kwargs, text) {
  const named = Object.keys(kwargs).length > 0;
  if (!args.length && !named) return "no payload";
  const whole = !named ? (args.length === 1 ? args[0] : args) : args.length ? [...args, kwargs] : kwargs;
  if (whole === text || (isDict(whole) && Object.keys(whole).length === 1 && Object.values(whole)[0] === text)) return "";
  return JSON.stringify(whole);
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isDict(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
