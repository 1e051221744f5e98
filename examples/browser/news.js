/* A subscriber with wampgate's own client. Open the page as news.html#token=…&organization=7 */

import { connect } from "./wamp.js";

const link = Object.fromEntries(location.hash.slice(1).split("&").map((part) => part.split("=").map(decodeURIComponent)));
history.replaceState(null, "", location.pathname);

const state = document.getElementById("state");

const session = connect({
  url: (location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/ws",
  realm: "realm1",
  ticket: link.token,
});
session.addEventListener("joined", () => (state.textContent = "live"));
session.addEventListener("closed", ({ detail }) => {
  state.textContent = detail.willRetry ? "reconnecting" : `closed: ${detail.reason}`;
});

try {
  await session.subscribe(`organization.${link.organization}`, (args, kwargs) => {
    const item = document.createElement("li");
    item.textContent = JSON.stringify(args.length ? args : kwargs);
    document.getElementById("news").append(item);
  });
} catch (error) {
  state.textContent = `refused: ${error.uri}`;
}
