/** The page's entry: reads the link's token once, logs in, and leads from view to view. */

import { announce, by } from "./elements.js";
import { Feed } from "./feed.js";
import { Overview } from "./overview.js";
import { RefusalList } from "./refusals.js";
import { Sessions } from "./sessions.js";
import { Tabs } from "./tabs.js";
import { Topics } from "./topics.js";
import { clock, foreign } from "./words.js";

const URL_OF_ROUTER = new URL("ws", location.href.split(/[?#]/)[0]);
URL_OF_ROUTER.protocol = location.protocol === "https:" ? "wss:" : "ws:";

/** Where the token of this tab is kept over a reload; it ends with the tab. */
const KEPT = "wampgate.status";

const feed = new Feed();
const overview = new Overview(feed);
/** @type {Record<string, {show: () => void, hide: () => void, renew: () => void, tick: () => void}>} */
const views = { sessions: new Sessions(feed), topics: new Topics(feed), refusals: new RefusalList(feed) };
const tabs = new Tabs(by("tabs"), (name) => {
  history.replaceState(null, "", `${location.pathname}#${name}`);
  for (const [other, view] of Object.entries(views)) if (other !== name) view.hide();
  views[name]?.show();
});
/** Whether this login ever came in: until then a refusal belongs to the form. */
let entered = false;
/** @type {{willRetry: boolean, until: number, message: string} | null} */
let away = null;

/** The fragment as names and values; a part without "=" names a view. A "+" stays one: tokens may have it. */
function readFragment() {
  /** @type {Record<string, string>} */ const values = Object.create(null);
  for (const part of location.hash.slice(1).split("&")) {
    const [name, ...value] = part.split("=");
    if (!value.length) values.view = name;
    else
      try {
        values[name] = decodeURIComponent(value.join("="));
      } catch {
        values[name] = value.join("=");
      }
  }
  return values;
}

/** @returns {{token?: string, realm?: string}} */
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {string} token @param {string} realm */
function enter(token, realm) {
  entered = false;
  away = null;
  sessionStorage.setItem(KEPT, JSON.stringify({ token, realm }));
  by("login-failed").hidden = true;
  show("connecting", "Connecting");
  feed.open(URL_OF_ROUTER.href, realm, token);
}

/** @param {string} [why] @param {string} [reason] a URI */
function askForToken(why, reason) {
  feed.close();
  entered = false;
  away = null;
  by("views").hidden = by("leave").hidden = true;
  by("login").hidden = false;
  by("who").textContent = "";
  by("stale").hidden = true;
  by("login-failed").hidden = !why;
  by("login-failed").textContent = why ? `${foreign(why, 300)} (${foreign(reason)})` : "";
  show("idle", "Not connected");
  by("realm").value ||= kept().realm || "realm1";
  by("token").focus();
}

/** @param {string} state as style.css knows them @param {string} text */
function show(state, text) {
  by("link").dataset.state = state;
  by("link").querySelector(".state-text").textContent = text;
}

feed.addEventListener("joined", (event) => {
  const { authid, authrole } = /** @type {CustomEvent} */ (event).detail;
  by("who").textContent = `${foreign(authid, 40)} (${foreign(authrole, 40)})`;
  by("foot").textContent = `Realm ${foreign(kept().realm, 60)} on ${URL_OF_ROUTER.host}`;
  by("login").hidden = true;
  by("views").hidden = by("leave").hidden = false;
  by("token").value = "";
  if (away) announce("Connected again.");
  if (!entered) tabs.choose(tabs.name || wanted);
  entered = true;
  away = null;
  for (const view of Object.values(views)) view.renew();
  age();
});

feed.addEventListener("left", (event) => {
  const { reason, message, willRetry, retryIn } = /** @type {CustomEvent} */ (event).detail;
  if (!willRetry) {
    sessionStorage.removeItem(KEPT);
    askForToken(message, reason);
    return;
  }
  if (!away && entered) announce("The connection to the router is lost; trying again.");
  away = { willRetry, until: Date.now() + retryIn, message };
  age();
});

feed.addEventListener("status", (event) => {
  overview.show(/** @type {CustomEvent} */ (event).detail);
  for (const view of Object.values(views)) view.tick();
  age();
});

feed.addEventListener("age", age);

/** Say how old the figures are, where they are old. */
function age() {
  const old = entered && feed.at > 0 && !feed.fresh;
  by("stale").hidden = !(old || away);
  by("views").classList.toggle("old", old);
  if (!away) show(feed.joined ? (old ? "waiting" : "live") : "connecting", feed.joined ? (old ? "No answer" : "Live") : "Connecting");
  else show("waiting", "Reconnecting");
  by("retry").hidden = !away;
  if (!by("stale").hidden) sayStale();
}

function sayStale() {
  const since = feed.at ? `What you see is of ${clock(new Date(feed.at))}.` : "";
  by("stale-title").textContent = away ? "No connection to the router" : "The router does not answer";
  const wait = away ? Math.ceil((away.until - Date.now()) / 1000) : 0;
  const next = away ? (wait > 0 ? `Trying again in ${wait} s.` : "Trying again.") : "";
  by("stale-text").textContent = [since, next].filter(Boolean).join(" ");
}

by("login").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  enter(by("token").value.trim(), by("realm").value.trim());
});
by("leave").addEventListener("click", () => {
  sessionStorage.removeItem(KEPT);
  askForToken();
});
by("retry").addEventListener("click", () => feed.session?.retry());
by("skip").addEventListener("click", (/** @type {Event} */ event) => {
  event.preventDefault();
  (by("views").hidden ? by("token") : by("views")).focus();
});
addEventListener("online", () => feed.session?.retry());
document.addEventListener("visibilitychange", () => !document.hidden && feed.refresh());
addEventListener("hashchange", start);

let wanted = "";

function start() {
  const link = readFragment();
  wanted = link.view ?? "";
  if (link.token !== undefined || feed.session === null) {
    // A token must not stay where it can be read over a shoulder, bookmarked or copied with the address.
    history.replaceState(null, "", location.pathname + (link.view ? `#${link.view}` : ""));
    const before = kept();
    const token = link.token ?? before.token;
    by("realm").value = link.realm ?? before.realm ?? "realm1";
    if (token) enter(token, by("realm").value);
    else askForToken();
  } else if (link.view) tabs.choose(link.view);
}

start();
