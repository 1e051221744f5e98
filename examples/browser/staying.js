/* A subscriber that stays. Open the page as staying.html#token=…&organization=7 (and &over=autobahn for autobahn-js) */

import { live } from "./live.js";
import { overAutobahn, overWamp } from "./live_links.js";
import { connect } from "./wamp.js";

const link = Object.fromEntries(location.hash.slice(1).split("&").map((part) => part.split("=").map(decodeURIComponent)));
history.replaceState(null, "", location.pathname);

const state = document.getElementById("state");
const address = { url: (location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/ws", realm: "realm1" };

/** Where your application asks its backend for a token that is good for a while. */
const fetchToken = async () => link.token;

/** autobahn-js is a classic script. */
async function loadAutobahn() {
  const script = Object.assign(document.createElement("script"), { src: "autobahn.min.js" });
  document.head.append(script);
  await new Promise((resolve) => (script.onload = resolve));
  return window.autobahn;
}

const session = live({
  open: link.over === "autobahn" ? overAutobahn(await loadAutobahn(), address) : overWamp(connect, address),
  token: fetchToken,
  onstate: ({ name, reason }) => (state.textContent = reason ? `${name}: ${reason}` : name),
});

try {
  await session.subscribe(`organization.${link.organization}`, (args, kwargs) => {
    const item = document.createElement("li");
    item.textContent = JSON.stringify(args.length ? args : kwargs);
    document.getElementById("news").append(item);
  }, {
    ongap: () => (document.getElementById("gap").hidden = false),
    onlost: ({ reason }) => (state.textContent = `lost: ${reason}`),
  });
} catch (error) {
  state.textContent = `refused: ${error.uri ?? error.error}`;
}
