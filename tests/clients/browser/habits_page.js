/* A caller and a callee in one page, with stock autobahn-js: what came of it stands in #found as JSON. */

"use strict";

const found = { progress: [], came: [], heard: [] };
const show = (text) => (document.getElementById("state").textContent = text);
const open = (options) =>
  new Promise((resolve, reject) => {
    const connection = new autobahn.Connection({
      url: "ws://" + location.host + "/ws",
      realm: "realm1",
      max_retries: 0,
      ...options,
    });
    connection.onopen = (session, details) => resolve({ connection, session, details });
    connection.onclose = (reason, details) => reject(new Error(reason + " " + details.reason));
    connection.open();
  });

async function soon(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function main() {
  const callee = await open({ authmethods: ["ticket"], authid: "bob", onchallenge: () => "the-ticket-of-bob" });
  const caller = await open({
    authmethods: ["wampcra"],
    authid: "salty",
    onchallenge: (session, method, extra) =>
      autobahn.auth_cra.sign(autobahn.auth_cra.derive_key("password", extra.salt, extra.iterations, extra.keylen), extra.challenge),
  });
  found.joined = [caller.details.authid, caller.details.authrole, caller.details.authmethod];
  const { session } = caller;
  await callee.session.register("com.example.open.page.", async ([most], kwargs, details) => {
    for (let number = 0; number < most; number += 1) details.progress([number]);
    return [details.procedure, details.caller_authid];
  }, { match: "prefix" });
  const options = { receive_progress: true };
  found.result = await session
    .call("com.example.open.page.count", [5], {}, options)
    .then((result) => result, (error) => error.error, (one) => found.progress.push(one));
  await session.subscribe("wamp.session.on_join", ([details]) => found.came.push(details.authid));
  await session.subscribe("com.example.gone", (args, kwargs) => found.heard.push([args, kwargs]));
  const third = await open({ authmethods: ["ticket"], authid: "gone", onchallenge: () => "the-ticket-of-gone" });
  await soon(() => found.came.length === 1);
  const list = await session.call("wamp.session.list");
  found.here = [list.length, await session.call("wamp.session.count"), list.includes(third.session.id)];
  found.got = (await session.call("wamp.session.get", [third.session.id])).authid;
  const registration = await session.call("wamp.registration.match", ["com.example.open.page.count"]);
  found.callees = (await session.call("wamp.registration.list_callees", [registration])).map((id) => id === callee.session.id);
  await third.session.call("wamp.session.add_testament", ["com.example.gone", ["last words"], { of: "gone" }]);
  const closed = new Promise((resolve) => (third.connection.onclose = (reason, details) => resolve(details.reason)));
  await session.call("wamp.session.kill", [third.session.id]);
  found.closed = await closed;
  await soon(() => found.heard.length === 1);
  document.getElementById("found").textContent = JSON.stringify(found);
  show("done");
}

main().catch((error) => show("failed: " + (error.error ?? error)));
