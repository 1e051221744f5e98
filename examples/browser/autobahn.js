/* A subscriber with stock autobahn-js. Open the page as autobahn.html#token=…&organization=7 */

"use strict";

const link = Object.fromEntries(location.hash.slice(1).split("&").map((part) => part.split("=").map(decodeURIComponent)));
history.replaceState(null, "", location.pathname);

const state = document.getElementById("state");
const news = document.getElementById("news");

const connection = new autobahn.Connection({
  url: (location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/ws",
  realm: "realm1",
  authmethods: ["ticket"],
  onchallenge: () => link.token,
  authextra: { organization: link.organization },
  // Without these, 15 tries and then silence.
  max_retries: -1,
  max_retry_delay: 30,
});

// Called after each reconnect too: autobahn-js does not subscribe again by itself.
connection.onopen = (session) => {
  state.textContent = "connected";
  session.subscribe("organization." + link.organization, (args, kwargs) => {
    const item = document.createElement("li");
    item.textContent = JSON.stringify(args.length ? args : kwargs);
    news.append(item);
  }).then(
    () => (state.textContent = "live"),
    (error) => (state.textContent = "refused: " + error.error),
  );
};

// "lost" and "unreachable": it tries again. After an ABORT or a GOODBYE ("closed") it never does.
connection.onclose = (reason, details) => {
  state.textContent = reason === "closed" ? "closed: " + details.reason : "reconnecting";
  return false;
};

connection.open();
