// Prints an organization's news with stock autobahn-js: node subscribe.js URL TOKEN ORGANIZATION
"use strict";

const autobahn = require("autobahn");

const [url, token, organization] = process.argv.slice(2);

const connection = new autobahn.Connection({
  url,
  realm: "realm1",
  authmethods: ["ticket"],
  onchallenge: (_session, method) => {
    if (method !== "ticket") throw new Error(`unexpected authmethod ${method}`);
    return token;
  },
});

connection.onopen = async (session, details) => {
  await session.subscribe(`organization.${organization}`, (args, kwargs) => {
    console.log(JSON.stringify({ args, kwargs }));
  });
  console.log(`${details.authid} listens to organization.${organization}`);
};

// autobahn-js reconnects by itself unless the router said ABORT or GOODBYE.
connection.onclose = (reason, details) => {
  console.log(`closed: ${details.reason ?? reason}`);
};

connection.open();
