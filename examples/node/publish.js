// Publishes one piece of news as a backend: node publish.js URL TICKET ORGANIZATION TEXT
"use strict";

const autobahn = require("autobahn");

const [url, ticket, organization, text] = process.argv.slice(2);

const connection = new autobahn.Connection({
  url,
  realm: "realm1",
  authmethods: ["ticket"],
  onchallenge: () => ticket,
});

connection.onopen = async (session) => {
  const publication = await session.call("wampgate.publish", [`organization.${organization}`, [text]]);
  console.log(`published as ${publication}`);
  connection.close();
};

connection.open();
