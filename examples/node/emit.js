// Publishes news for the members of an organization through socket.io's emitter and Redis: node emit.js ORGANIZATION TEXT
//
//     npm install @socket.io/redis-emitter redis
//
// Nothing in it knows of wampgate: it is what a backend that speaks to socket.io does anyway. router.json needs the rule
//
//     {"dialect": "socketio-emitter",
//      "room": "organization.{organization}", "topic": "organization.{organization}"}
//
// and a subscriber of organization.7 receives the args ["news", {"data": TEXT}].
//
// The environment may name another Redis: REDIS_URL.
"use strict";

const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");

const [organization, text] = process.argv.slice(2);
if (text === undefined) {
  console.error("usage: node emit.js ORGANIZATION TEXT");
  process.exit(2);
}

async function main() {
  const redis = createClient({ url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379" });
  await redis.connect();
  new Emitter(redis).in(`organization.${organization}`).emit("news", { data: text });
  await redis.quit();
}

main().catch((error) => {
  console.error(`news were not published: ${error.message}`);
  process.exit(1);
});
