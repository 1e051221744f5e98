/** The page's entry: reads the link's fragment, then shows one session or the demo. */

import { Panel, copyOf, isOrganization, url } from "./panel.js";
import { showDemo } from "./demo.js";

/**
 * The link's fragment as names and values. Not URLSearchParams: it would turn a "+" in a token into a space.
 *
 * @returns {Record<string, string>}
 */
function readFragment() {
  /** @type {Record<string, string>} */
  const values = Object.create(null);
  for (const part of location.hash.slice(1).split("&")) {
    if (!part) continue;
    const [name, ...value] = part.split("=");
    try {
      values[name] = decodeURIComponent(value.join("="));
    } catch {
      values[name] = value.join("=");
    }
  }
  return values;
}

/**
 * @typedef {() => (import("./wamp.js").Session | null)[]} Sessions  the sessions that a view holds now
 * @param {HTMLElement} main @param {Record<string, string>} link @param {string} realm @returns {Sessions}
 */
function showSingle(main, link, realm) {
  main.replaceChildren(copyOf("single-view"));
  /** @param {string} id @returns {any} */
  const by = (id) => document.getElementById(id);
  const panel = new Panel("News", by("place"));
  const leave = by("leave");

  /** @param {string[]} organizations */
  panel.onOrganizations = (organizations) => {
    by("organizations").replaceChildren(...organizations.map((id) => new Option(id, id)));
    if (by("organization").value) return;
    if (organizations.length === 1) choose(organizations[0]);
    else panel.offer(organizations, choose);
  };
  /** @param {string} organization */
  const choose = (organization) => {
    by("organization").value = organization;
    panel.watch(organization);
  };
  const open = () => {
    const organization = by("organization").value.trim();
    if (organization && !isOrganization(organization)) {
      panel.notice("bad", { title: "Not an organization id", text: "It has only letters, digits, “-” and “_”." });
      by("organization").focus();
      return;
    }
    const session = panel.open({ token: by("token").value.trim(), realm, organization });
    leave.disabled = false;
    session.addEventListener("closed", (event) => {
      if (panel.session === session) leave.disabled = !(/** @type {CustomEvent} */ (event).detail.willRetry);
    });
    if (organization) panel.watch(organization);
  };

  by("connect").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    open();
  });
  leave.addEventListener("click", () => panel.session?.close());
  by("reveal").addEventListener("click", () => reveal(by("token"), by("reveal")));
  by("token").value = link.token ?? "";
  by("organization").value = link.organization ?? "";
  if (link.token) open();
  return () => [panel.session];
}

/** @param {HTMLInputElement} field @param {HTMLElement} button */
function reveal(field, button) {
  const shown = field.type === "text";
  field.type = shown ? "password" : "text";
  button.textContent = shown ? "Show" : "Hide";
  button.ariaPressed = String(!shown);
}

/** @type {Sessions} */
let sessions = () => [];

function start() {
  const link = readFragment();
  // A token must not stay where it can be read over a shoulder, bookmarked or copied with the address.
  history.replaceState(null, "", location.pathname + location.search);
  const realm = link.realm || "realm1";
  const main = /** @type {HTMLElement} */ (document.getElementById("main"));
  for (const session of sessions()) session?.close();
  /** @type {any} */ (document.getElementById("realm")).textContent = realm;
  /** @type {any} */ (document.getElementById("address")).textContent = url;
  sessions = "demo" in link ? showDemo(main, link, realm) : showSingle(main, link, realm);
}

start();
// Another link opened in the same tab changes the fragment only.
addEventListener("hashchange", () => location.hash.length > 1 && start());
addEventListener("online", () => sessions().forEach((session) => session?.retry()));
