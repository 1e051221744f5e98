/** The view of the whole: whether the router is ready, how much it does, what it stands on. */

import { announce, by, element } from "./elements.js";
import { levels, rates } from "./feed.js";
import { Plot } from "./plots.js";
import { showRefused } from "./rules.js";
import { bytes, dateAndClock, duration, foreign, short, whole } from "./words.js";

const RULE = { actions: ["call"], uri: "wampgate.status.", match: "prefix" };

/** @type {Record<string, string>} */
const STATES = {
  starting: "Starting: it does not listen yet",
  ready: "Ready",
  "not ready": "Not ready: it should be given no new clients",
  draining: "Draining: it is on its way out",
};

export class Overview {
  /** @type {{plot: Plot, name: string, rate: boolean}[]} */ #plots;
  #state = "";

  /** @param {import("./feed.js").Feed} feed */
  constructor(feed) {
    this.feed = feed;
    const place = by("plots");
    this.#plots = [
      { plot: new Plot(place, "Sessions"), name: "sessions", rate: false },
      { plot: new Plot(place, "Events", "/s"), name: "events", rate: true },
      { plot: new Plot(place, "Publications", "/s"), name: "publications", rate: true },
      { plot: new Plot(place, "Calls", "/s"), name: "calls", rate: true },
      { plot: new Plot(place, "Joins", "/s"), name: "joins", rate: true },
      { plot: new Plot(place, "Refusals", "/s"), name: "refusals", rate: true },
    ];
  }

  /** @param {{status: import("./feed.js").Status | null, refused: any}} news */
  show({ status, refused }) {
    showRefused(by("refused-overview"), this.feed.authrole, refused, RULE);
    for (const id of ["verdict", "figures", "plots", "kinds", "surroundings"]) by(id).hidden = refused !== null;
    if (status) this.#show(status);
  }

  /** @param {import("./feed.js").Status} status */
  #show(status) {
    this.#verdict(status);
    this.#figures(status);
    for (const { plot, name, rate } of this.#plots) {
      plot.show((rate ? rates : levels)(this.feed.samples, name), this.feed.at);
    }
    const { by_role: roles, by_method: methods } = status.sessions;
    by("kinds").replaceChildren(counts("Role", roles), counts("Method", methods));
    by("surroundings").replaceChildren(...surroundings(status));
  }

  /** @param {import("./feed.js").Status} status */
  #verdict({ state, reasons, started, uptime_seconds: uptime, version }) {
    const text = STATES[state] ?? foreign(state);
    if (this.#state && this.#state !== state) announce(`The router is now: ${text}`);
    this.#state = state;
    by("verdict").dataset.state = state;
    by("verdict-state").textContent = text;
    by("verdict-text").textContent = `Up for ${duration(uptime)}, since ${dateAndClock(new Date(started))}. Version ${version}.`;
    by("reasons").replaceChildren(...reasons.map((/** @type {string} */ reason) => element("li", {}, foreign(reason, 300))));
  }

  /** @param {import("./feed.js").Status} status */
  #figures({ sessions, connections, queues, loop_lag_seconds: lag, counters }) {
    const transports = Object.entries(connections.by_transport).map(([name, count]) => `${whole(count)} ${name}`);
    by("figures").replaceChildren(
      ...figure("Sessions", whole(sessions.total), "in this realm"),
      ...figure("Connections", whole(connections.open), transports.join(", ") || "of the whole router"),
      ...figure("Waiting for slow readers", bytes(queues.bytes), `${whole(queues.slow_readers)} readers behind`),
      ...figure("Dropped for them", whole(counters.drops ?? 0), `${whole(counters.gaps ?? 0)} gaps told`),
      ...figure("Loop lag", lag === null ? "–" : `${short(lag * 1000)} ms`, lag === null ? "not measured" : "at worst, of late"),
    );
  }
}

/** @param {string} name @param {string} value @param {string} note */
function figure(name, value, note) {
  const group = element("div", { class: "card figure" });
  group.append(element("dt", {}, name), element("dd", {}, element("strong", {}, value), element("span", {}, note)));
  return [group];
}

/** @param {string} caption @param {Record<string, number>} numbers */
function counts(caption, numbers) {
  const rows = Object.entries(numbers).sort(([, one], [, other]) => other - one);
  const shown = rows.slice(0, 12);
  const rest = rows.slice(12).reduce((sum, [, count]) => sum + count, 0);
  const table = element("table", { class: "small" });
  const head = element("tr", {}, element("th", { scope: "col" }, caption), element("th", { scope: "col", class: "number" }, "Sessions"));
  table.append(
    element("caption", { class: "unseen" }, `Sessions by ${caption.toLowerCase()}`),
    element("thead", {}, head),
    element("tbody", {}, ...[...shown, ...(rest ? [/** @type {[string, number]} */ (["all others", rest])] : [])].map(([name, count]) =>
      element("tr", {}, element("td", { class: "text" }, element("bdi", {}, foreign(name))), element("td", { class: "number" }, whole(count))),
    )),
  );
  return table;
}

/** @param {import("./feed.js").Status} status */
function surroundings({ store, bridges }) {
  const rows = [...(store ? [storeRow(store)] : []), ...bridges.map(bridgeRow)];
  if (!rows.length) return [element("p", { class: "hint" }, "This realm has no store and no bridge.")];
  const names = ["Name", "Kind", "State", "Note"];
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col", class: name === "Note" ? "wide" : null }, name)));
  const table = element("table", { class: "small" });
  table.append(
    element("caption", { class: "unseen" }, "Store and bridges"),
    element("thead", {}, head),
    element("tbody", {}, ...rows),
  );
  return [table];
}

/** @param {{kind: string, ready: boolean, hears: boolean}} store */
function storeRow({ kind, ready, hears }) {
  return row("store", kind, ready, ready ? (hears ? "hears of changes at once" : "changes are found by sweeps") : "new grants are refused");
}

/** @param {{name: string, kind: string, ready: boolean, lag_seconds?: number, counters: Record<string, number>}} bridge */
function bridgeRow({ name, kind, ready, lag_seconds: lag, counters }) {
  const received = counters.received === undefined ? [] : [`${whole(counters.received)} received`];
  const behind = !lag ? [] : [`${short(lag)} s behind`];
  return row(name, kind, ready, [...received, ...behind].join(", "));
}

/** @param {string} name @param {string} kind @param {boolean} ready @param {string} note */
function row(name, kind, ready, note) {
  return element(
    "tr", {},
    element("td", { class: "text" }, element("bdi", {}, foreign(name))),
    element("td", {}, kind),
    element("td", {}, element("span", { class: ready ? "mark good" : "mark bad" }, ready ? "ready" : "away")),
    element("td", { class: "text wide" }, note),
  );
}
