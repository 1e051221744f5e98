/** Stock autobahn-js in Node against the router at PORT, in the serialization SERIALIZER. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, test } from "node:test";

const autobahn = createRequire(process.env.NPM_FOLDER)("autobahn");
const { PORT, SERIALIZER } = process.env;
const serializers = {
  json: () => new autobahn.serializer.JSONSerializer(),
  msgpack: () => new autobahn.serializer.MsgpackSerializer(),
  cbor: () => new autobahn.serializer.CBORSerializer(),
};
const connections = [];
let names = 0;

function name(below = "com.example") {
  names += 1;
  return `${below}.node_${SERIALIZER}_${process.pid}_${names}`;
}

/** A session of a principal, or of no one. */
function join(authid, { ticket = `the-ticket-of-${authid}`, realm = "realm1", serializer = SERIALIZER } = {}) {
  return new Promise((resolve, reject) => {
    const connection = new autobahn.Connection({
      url: `ws://127.0.0.1:${PORT}/ws`,
      realm,
      serializers: [serializers[serializer]()],
      authmethods: authid ? ["ticket"] : ["anonymous"],
      ...(authid ? { authid, onchallenge: () => ticket } : {}),
      max_retries: 0,
    });
    connections.push(connection);
    connection.onopen = (session, details) => resolve({ session, details, connection });
    connection.onclose = (reason, details) => {
      reject(Object.assign(new Error(reason), { details }));
      return true;
    };
    connection.open();
  });
}

after(() => connections.filter((one) => one.isOpen).forEach((one) => one.close()));

const soon = (condition) =>
  new Promise((resolve, reject) => {
    const started = Date.now();
    const timer = setInterval(() => {
      if (condition()) resolve(clearInterval(timer));
      else if (Date.now() - started > 5000) reject(new Error("not in time", clearInterval(timer)));
    }, 5);
  });

test("who one is", async () => {
  const { details } = await join("alice");
  assert.equal(details.authid, "alice");
  assert.equal(details.authrole, "client");
  assert.equal(details.authmethod, "ticket");
  assert.deepEqual(Object.keys(details.roles).sort(), ["broker", "dealer"]);
  assert.equal((await join(null)).details.authrole, "guest");
});

test("events with their payloads, in order", async () => {
  const topic = name();
  const alice = await join("alice");
  const bob = await join("bob");
  const received = [];
  const subscription = await bob.session.subscribe(topic, (args, kwargs) => received.push([args ?? [], kwargs ?? {}]));
  alice.session.publish(topic, ["one", 2, [3.5, null, { k: true }]]);
  const acknowledged = await alice.session.publish(topic, [], { text: "é€😀" }, { acknowledge: true });
  assert.ok(acknowledged.id > 0);
  alice.session.publish(topic);
  await soon(() => received.length === 3);
  assert.deepEqual(received, [
    [["one", 2, [3.5, null, { k: true }]], {}],
    [[], { text: "é€😀" }],
    [[], {}],
  ]);
  await bob.session.unsubscribe(subscription);
  await alice.session.publish(topic, ["after"], {}, { acknowledge: true });
  assert.equal(received.length, 3);
});

test("event details, patterns and disclosure", async () => {
  const topic = name();
  const alice = await join("alice");
  const bob = await join("bob");
  const seen = [];
  await bob.session.subscribe(topic, (_args, _kwargs, details) => seen.push(details), { match: "prefix" });
  const publication = await alice.session.publish(`${topic}.deep`, [1], {}, { acknowledge: true, disclose_me: true });
  await soon(() => seen.length === 1);
  assert.equal(seen[0].topic, `${topic}.deep`);
  assert.equal(seen[0].publication, publication.id);
  assert.equal(seen[0].publisher, alice.session.id);
  assert.equal(seen[0].publisher_authid, "alice");
});

test("exclusion and lists", async () => {
  const topic = name();
  const alice = await join("alice");
  const bob = await join("bob");
  const [mine, others] = [[], []];
  await alice.session.subscribe(topic, ([number]) => mine.push(number));
  await bob.session.subscribe(topic, ([number]) => others.push(number));
  const lists = [{}, { exclude_me: false, exclude: [bob.session.id] }, { eligible_authid: ["carol"] }, { eligible: [bob.session.id] }];
  for (const [number, options] of lists.entries()) {
    await alice.session.publish(topic, [number], {}, { acknowledge: true, ...options });
  }
  await soon(() => others.length === 2 && mine.length === 1);
  assert.deepEqual([mine, others], [[1], [0, 3]]);
});

test("calls, results and errors", async () => {
  const procedure = name();
  const alice = await join("alice");
  const bob = await join("bob");
  const registration = await bob.session.register(
    procedure,
    ([...numbers], kwargs, details) => {
      if (kwargs.fail) throw new autobahn.Error("com.example.error", ["why"], { detail: [1] });
      return new autobahn.Result([numbers.reduce((sum, number) => sum + number, 0)], { caller: details.caller_authid });
    },
    { disclose_caller: true },
  );
  const result = await alice.session.call(procedure, [1, 2, 3]);
  assert.deepEqual([result.args, result.kwargs], [[6], { caller: "alice" }]);
  const many = await Promise.all(Array.from({ length: 50 }, (_, number) => alice.session.call(procedure, [number])));
  assert.deepEqual(many.map((one) => one.args[0]), Array.from({ length: 50 }, (_, number) => number));
  await assert.rejects(async () => alice.session.call(procedure, [], { fail: true }), (error) => {
    assert.deepEqual([error.error, error.args, error.kwargs], ["com.example.error", ["why"], { detail: [1] }]);
    return true;
  });
  await bob.session.unregister(registration);
  await assert.rejects(async () => alice.session.call(procedure), { error: "wamp.error.no_such_procedure" });
});

test("wampgate.publish", async () => {
  const topic = name();
  const alice = await join("alice");
  const bob = await join("bob");
  const received = [];
  await bob.session.subscribe(topic, (args, kwargs, details) => received.push([args, kwargs, details.publication]));
  const publication = await alice.session.call("wampgate.publish", [topic, ["hi"], { text: "there" }]);
  await soon(() => received.length === 1);
  assert.deepEqual(received, [[["hi"], { text: "there" }, publication]]);
});

test("what is refused", async () => {
  const { session } = await join("alice");
  const refusals = [
    [() => session.subscribe("organization.7", () => {}), "wamp.error.not_authorized"],
    [() => session.subscribe("com.example", () => {}, { match: "prefix" }), "wamp.error.not_authorized"],
    [() => session.subscribe("com.example.a b", () => {}), "wamp.error.invalid_uri"],
    [() => session.publish("com.elsewhere", [], {}, { acknowledge: true }), "wamp.error.not_authorized"],
    [() => session.call("com.elsewhere"), "wamp.error.not_authorized"],
    [() => session.register("wamp.x", () => {}), "wamp.error.not_authorized"],
  ];
  for (const [request, error] of refusals) await assert.rejects(async () => request(), { error });
});

test("who may not join", async () => {
  await assert.rejects(join("alice", { ticket: "wrong" }), ({ details }) => {
    assert.equal(details.reason, "wamp.error.authentication_denied");
    return true;
  });
  await assert.rejects(join("alice", { realm: "realm2" }), ({ details }) => {
    assert.equal(details.reason, "wamp.error.no_such_realm");
    return true;
  });
});

test("leaving", async () => {
  const { connection } = await join("alice");
  const closed = new Promise((resolve) => {
    connection.onclose = (reason, details) => resolve([reason, details.reason]);
  });
  connection.close();
  assert.deepEqual(await closed, ["closed", "wamp.close.goodbye_and_out"]);
});
