/** Our WAMP client against a peer that says what it likes: joining, requests, endings, reconnecting, nonsense. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WampError, connect } from "../../../wampgate/http/page/wamp.js";
import { Peer } from "./wamp_peer.mjs";

const { WebSocket } = createRequire(process.env.NPM_FOLDER)("ws");
/** Long enough for a reconnect that must not happen to have happened. */
const QUIET = 120;

let peer;
let sessions;

beforeEach(async () => {
  peer = await Peer.listen();
  sessions = [];
});

afterEach(async () => {
  peer.stop();
  await Promise.all(sessions.map((session) => session.close()));
});

function open(options = {}) {
  const session = connect({
    url: peer.url, realm: "realm1", ticket: "secret", WebSocket, retry: { first: 20, longest: 100 }, ...options,
  });
  sessions.push(session);
  return session;
}

async function joined(options) {
  const session = open(options);
  const connection = await peer.accept();
  await connection.welcome();
  await session.joined();
  return { session, connection };
}

const next = (session, type) =>
  new Promise((resolve) => session.addEventListener(type, ({ detail }) => resolve(detail), { once: true }));

const refusal = (uri) => (error) => error instanceof WampError && error.uri === uri;

test("HELLO announces the ticket, CHALLENGE is answered with it, WELCOME is told", async () => {
  const session = open({ authid: "alice", authextra: { organization: "7" } });
  const told = next(session, "joined");
  const connection = await peer.accept();
  assert.equal(connection.socket.protocol, "wamp.2.json");
  const { hello, ticket } = await connection.welcome({ authextra: { organizations: ["7", "8"] } });
  assert.equal(hello[0], 1);
  assert.equal(hello[1], "realm1");
  assert.deepEqual(hello[2].authmethods, ["ticket"]);
  assert.equal(hello[2].authid, "alice");
  assert.deepEqual(hello[2].authextra, { organization: "7" });
  assert.deepEqual(Object.keys(hello[2].roles).sort(), ["callee", "caller", "publisher", "subscriber"]);
  assert.equal(JSON.stringify(hello).includes("secret"), false);
  assert.equal(ticket, "secret");
  const { session: id, authid, organizations } = await told;
  assert.deepEqual([id, authid, organizations], [9129137332, "alice", ["7", "8"]]);
  assert.equal(session.state, "joined");
});

test("without a ticket no method is announced", async () => {
  open({ ticket: undefined });
  const [, , details] = await (await peer.accept()).receive();
  assert.equal("authmethods" in details, false);
  assert.equal("authid" in details, false);
});

test("another method is answered by onchallenge", async () => {
  open({ ticket: undefined, authmethods: ["wampcra"], onchallenge: async (method, extra) => `${method}:${extra.challenge}` });
  const connection = await peer.accept();
  assert.deepEqual((await connection.receive())[2].authmethods, ["wampcra"]);
  connection.send([4, "wampcra", { challenge: "abc" }]);
  assert.deepEqual(await connection.receive(), [5, "wampcra:abc", {}]);
});

test("a ticket function is asked for each connection, and again after it failed", async () => {
  const answers = ["first", new Error("the token service is down"), "third"];
  const session = open({
    ticket: async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  let connection = await peer.accept();
  assert.equal((await connection.welcome()).ticket, "first");
  await session.joined();
  connection.cut();
  connection = await peer.accept();
  await connection.receive();
  const closed = next(session, "closed");
  connection.send([4, "ticket", {}]);
  assert.deepEqual([(await closed).reason, (await closed).willRetry], ["wampgate.client.no_ticket", true]);
  assert.equal((await (await peer.accept()).welcome()).ticket, "third");
});

test("events reach their handler with arguments and details, also those that come with SUBSCRIBED", async () => {
  const { session, connection } = await joined();
  const got = [];
  const subscribing = session.subscribe("organization.7", (args, kwargs, details) => got.push([args, kwargs, details.publication]));
  const [code, request, options, topic] = await connection.receive();
  assert.deepEqual([code, request, options, topic], [32, 1, {}, "organization.7"]);
  connection.send([33, 1, 5512], [36, 5512, 11, {}], [36, 5512, 12, {}, ["hi"]], [36, 5512, 13, {}, [], { a: 1 }], [36, 99, 14, {}]);
  const subscription = await subscribing;
  assert.equal(subscription.topic, "organization.7");
  await sleep(20);
  assert.deepEqual(got, [[[], {}, 11], [["hi"], {}, 12], [[], { a: 1 }, 13]]);
});

test("a subscription asked for before joining is made on joining", async () => {
  const session = open();
  const subscribing = session.subscribe("organization.7", () => {});
  const connection = await peer.accept();
  await connection.welcome();
  assert.equal((await connection.grant(1))[3], "organization.7");
  await subscribing;
});

test("two handlers share one subscription; the last one to leave ends it", async () => {
  const { session, connection } = await joined();
  const got = [];
  const handler = () => got.push("a");
  const first = session.subscribe("t.one", handler);
  const second = session.subscribe("t.one", handler);
  await connection.grant(7);
  const subscriptions = await Promise.all([first, second]);
  connection.send([36, 7, 1, {}]);
  await sleep(10);
  assert.deepEqual(got, ["a", "a"]);
  await session.unsubscribe(subscriptions[0]);
  assert.equal(connection.unread, 0);
  const leaving = subscriptions[1].unsubscribe();
  assert.deepEqual(await connection.receive(), [34, 2, 7]);
  connection.send([36, 7, 2, {}], [35, 2]);
  await leaving;
  assert.equal(got.length, 2);
  await subscriptions[1].unsubscribe();
  assert.equal(connection.unread, 0);
});

test("match policies are subscriptions of their own", async () => {
  const { session, connection } = await joined();
  const exact = session.subscribe("organization.7", () => {});
  const prefix = session.subscribe("organization.7", () => {}, { match: "prefix" });
  assert.deepEqual((await connection.grant(1)).slice(2), [{}, "organization.7"]);
  assert.deepEqual((await connection.grant(2)).slice(2), [{ match: "prefix" }, "organization.7"]);
  await Promise.all([exact, prefix]);
});

test("a refused subscription rejects with the URI and is not asked for again", async () => {
  const { session, connection } = await joined();
  const subscribing = session.subscribe("organization.9", () => {});
  await connection.receive();
  connection.send([8, 32, 1, {}, "wamp.error.not_authorized", ["not yours"], { organization: "9" }]);
  await assert.rejects(subscribing, (error) => {
    assert.deepEqual([error.uri, error.args, error.kwargs], ["wamp.error.not_authorized", ["not yours"], { organization: "9" }]);
    assert.equal(error.message, "not yours");
    return error instanceof Error && error instanceof WampError;
  });
  connection.cut();
  const again = await peer.accept();
  await again.welcome();
  await session.joined();
  assert.equal(again.unread, 0);
});

test("publishing takes the shortest form and tells the publication if it is acknowledged", async () => {
  const { session, connection } = await joined();
  assert.equal(await session.publish("t.one"), null);
  assert.equal(await session.publish("t.one", [1]), null);
  assert.equal(await session.publish("t.one", [], { a: 1 }), null);
  const acknowledged = session.publish("t.one", [1], {}, { acknowledge: true, exclude_me: false });
  assert.deepEqual(await connection.receive(), [16, 1, {}, "t.one"]);
  assert.deepEqual(await connection.receive(), [16, 2, {}, "t.one", [1]]);
  assert.deepEqual(await connection.receive(), [16, 3, {}, "t.one", [], { a: 1 }]);
  assert.deepEqual(await connection.receive(), [16, 4, { acknowledge: true, exclude_me: false }, "t.one", [1]]);
  connection.send([17, 4, 4429313566]);
  assert.equal(await acknowledged, 4429313566);
});

test("calls are told apart, whatever order their answers come in", async () => {
  const { session, connection } = await joined();
  const first = session.call("add", [1, 2]);
  const second = session.call("none");
  const third = session.call("fail", [], { a: 1 });
  assert.deepEqual(await connection.receive(), [48, 1, {}, "add", [1, 2]]);
  assert.deepEqual(await connection.receive(), [48, 2, {}, "none"]);
  assert.deepEqual(await connection.receive(), [48, 3, {}, "fail", [], { a: 1 }]);
  connection.send([8, 48, 3, {}, "app.error.bad", ["why"], { b: 2 }], [50, 2, {}], [50, 1, { d: 1 }, [3], { c: 1 }], [50, 77, {}]);
  assert.deepEqual(await first, { args: [3], kwargs: { c: 1 }, details: { d: 1 } });
  assert.deepEqual(await second, { args: [], kwargs: {}, details: {} });
  await assert.rejects(third, (error) => error.uri === "app.error.bad" && error.args[0] === "why" && error.kwargs.b === 2);
});

test("what can't be sent rejects and burns no request id", async () => {
  const { session, connection } = await joined();
  await assert.rejects(session.call("add", [10n]), TypeError);
  await assert.rejects(session.subscribe("t.one", () => {}, { odd: 10n }), TypeError);
  session.publish("t.one");
  assert.deepEqual(await connection.receive(), [16, 1, {}, "t.one"]);
});

test("a registered procedure answers: a result, nothing, our error, any error, an unsendable result", async () => {
  const { session, connection } = await joined();
  const act = {
    add: (args) => args[0] + args[1],
    later: async () => "done",
    nothing: () => undefined,
    ours: () => { throw new WampError("app.error.bad", ["why"], { a: 1 }); },
    any: () => { throw new RangeError("too much"); },
    odd: () => 10n,
  };
  const registering = session.register("app.do", (args, { what }) => act[what](args));
  assert.deepEqual(await connection.grant(3), [64, 1, {}, "app.do"]);
  const registration = await registering;
  await assert.rejects(session.register("app.do", () => {}), refusal("wamp.error.procedure_already_exists"));
  const invoke = async (id, what) => {
    connection.send([68, id, 3, {}, [1, 2], { what }]);
    return connection.receive();
  };
  assert.deepEqual(await invoke(1, "add"), [70, 1, {}, [3]]);
  assert.deepEqual(await invoke(2, "later"), [70, 2, {}, ["done"]]);
  assert.deepEqual(await invoke(3, "nothing"), [70, 3, {}]);
  assert.deepEqual(await invoke(4, "ours"), [8, 68, 4, {}, "app.error.bad", ["why"], { a: 1 }]);
  assert.deepEqual(await invoke(5, "any"), [8, 68, 5, {}, "wamp.error.runtime_error", ["RangeError: too much"]]);
  assert.equal((await invoke(6, "odd"))[4], "wamp.error.runtime_error");
  connection.send([68, 7, 99, {}]);
  assert.deepEqual(await connection.receive(), [8, 68, 7, {}, "wamp.error.no_such_registration"]);
  const leaving = registration.unregister();
  assert.deepEqual(await connection.receive(), [66, 2, 3]);
  connection.send([67, 2]);
  await leaving;
});

for (const code of [1000, 1001, 1011, 1012, 1013, 3000, 4001, "cut"]) {
  test(`transport lost (${code}): what waited fails, what stood is asked for again`, async () => {
    const { session, connection } = await joined();
    const got = [];
    const subscribing = session.subscribe("organization.7", (args) => got.push(args[0]));
    await connection.grant(1);
    await subscribing;
    const registering = session.register("app.do", () => {});
    await connection.grant(2);
    await registering;
    const calling = session.call("app.slow");
    await connection.receive();
    const closed = next(session, "closed");
    if (code === "cut") connection.cut();
    else connection.close(code);
    await assert.rejects(calling, refusal("wampgate.client.connection_lost"));
    const { reason, message, willRetry, retryIn } = await closed;
    assert.deepEqual([reason, willRetry], ["wampgate.client.connection_lost", true]);
    assert.match(message, code === "cut" ? /1006/ : new RegExp(code));
    assert.ok(retryIn >= 10 && retryIn <= 20, String(retryIn));
    assert.equal(session.state, "waiting");
    await assert.rejects(session.call("app.any"), refusal("wampgate.client.not_joined"));
    const again = await peer.accept();
    await again.welcome();
    assert.deepEqual(await again.grant(31), [32, 1, {}, "organization.7"]);
    assert.deepEqual(await again.grant(32), [64, 2, {}, "app.do"]);
    again.send([36, 1, 5, {}, ["old id"]], [36, 31, 6, {}, ["new id"]]);
    await sleep(20);
    assert.deepEqual(got, ["new id"]);
  });
}

for (const code of [1002, 1003, 1007, 1008, 1009, 1010]) {
  test(`close code ${code} would come again: no retry`, async () => {
    const { session, connection } = await joined();
    const closed = next(session, "closed");
    connection.close(code);
    assert.equal((await closed).willRetry, false);
    assert.equal(session.state, "closed");
    await sleep(QUIET);
    assert.equal(peer.unexpected, 0);
  });
}

for (const uri of [
  "wamp.error.authentication_denied", "wamp.error.authentication_required", "wamp.error.not_authorized",
  "wampgate.error.organization_required", "wamp.error.no_such_realm", "wamp.error.no_matching_auth_method",
  "wamp.error.protocol_violation", "some.other.uri",
]) {
  test(`ABORT ${uri}: told, and no retry`, async () => {
    const session = open();
    const waiting = session.joined();
    const subscribing = session.subscribe("organization.7", () => {});
    const closed = next(session, "closed");
    const connection = await peer.accept();
    await connection.receive();
    connection.send([3, { message: "because" }, uri]);
    assert.deepEqual(await closed, { reason: uri, message: "because", willRetry: false, retryIn: 0 });
    await assert.rejects(waiting, refusal(uri));
    await assert.rejects(subscribing, refusal(uri));
    await assert.rejects(session.joined(), refusal("wampgate.client.not_joined"));
    await assert.rejects(session.subscribe("organization.7", () => {}), refusal("wampgate.client.not_joined"));
    await connection.ended;
    session.retry();
    await sleep(QUIET);
    assert.equal(peer.unexpected, 0);
  });
}

for (const uri of ["wamp.error.authentication_failed", "wampgate.error.limit_exceeded"]) {
  test(`ABORT ${uri}: told, and tried again`, async () => {
    const session = open();
    const closed = next(session, "closed");
    const connection = await peer.accept();
    await connection.receive();
    connection.send([3, {}, uri]);
    const { reason, message, willRetry } = await closed;
    assert.deepEqual([reason, message, willRetry], [uri, uri, true]);
    await (await peer.accept()).welcome();
    await session.joined();
  });
}

for (const [uri, willRetry] of [
  ["wampgate.close.token_expired", false], ["wamp.close.killed", false], ["wamp.close.close_realm", false],
  ["wamp.close.system_shutdown", true],
]) {
  test(`GOODBYE ${uri} is answered, and ${willRetry ? "tried again" : "no retry"}`, async () => {
    const { session, connection } = await joined();
    const closed = next(session, "closed");
    connection.send([6, { message: "because" }, uri]);
    assert.deepEqual(await connection.receive(), [6, {}, "wamp.close.goodbye_and_out"]);
    const told = await closed;
    assert.deepEqual([told.reason, told.message, told.willRetry], [uri, "because", willRetry]);
    assert.ok([1000, 1005].includes(await connection.ended));
    if (willRetry) await (await peer.accept()).welcome();
    await sleep(QUIET);
    assert.equal(peer.unexpected, 0);
  });
}

test("an expired token is replaced where there is something that fetches one", async () => {
  const tickets = ["old", "new"];
  const { session, connection } = await joined({ ticket: () => tickets.shift() });
  const closed = next(session, "closed");
  connection.send([6, {}, "wampgate.close.token_expired"]);
  assert.equal((await closed).willRetry, true);
  assert.equal((await (await peer.accept()).welcome()).ticket, "new");
});

test("waits double up to the longest and are spread", async () => {
  const { url } = peer;
  peer.stop();
  const session = open({ url });
  const waits = [];
  session.addEventListener("closed", ({ detail }) => waits.push(detail.retryIn));
  while (waits.length < 6) await next(session, "closed");
  await session.close();
  const bounds = [20, 40, 80, 100, 100, 100];
  bounds.forEach((bound, index) => assert.ok(waits[index] >= bound / 2 && waits[index] <= bound, `${waits}`));
  assert.equal(new Set(waits.slice(0, 6)).size, 6, `${waits}`);
});

test("after a session that lasted, the waits are short again", async (context) => {
  context.mock.timers.enable({ apis: ["Date"] });
  const { session, connection } = await joined({ retry: { first: 20, longest: 1_000 } });
  let last = connection;
  const lose = async () => {
    const closed = next(session, "closed");
    last.cut();
    const { retryIn } = await closed;
    last = await peer.accept();
    await last.welcome();
    await session.joined();
    return retryIn;
  };
  await lose();
  await lose();
  assert.ok((await lose()) >= 40);
  context.mock.timers.tick(11_000);
  assert.ok((await lose()) <= 20);
});

test("retry() ends the wait", async () => {
  const { session, connection } = await joined({ retry: { first: 60_000, longest: 60_000 } });
  const closed = next(session, "closed");
  connection.cut();
  assert.ok((await closed).retryIn >= 30_000);
  session.retry();
  await (await peer.accept()).welcome();
  await session.joined();
});

test("retry: false never comes back", async () => {
  const { session, connection } = await joined({ retry: false });
  const closed = next(session, "closed");
  connection.cut();
  assert.equal((await closed).willRetry, false);
});

test("close() says goodbye, hears it, and stays away", async () => {
  const { session, connection } = await joined();
  const closed = next(session, "closed");
  const calling = session.call("app.slow");
  await connection.receive();
  const closing = session.close();
  assert.deepEqual(await connection.receive(), [6, {}, "wamp.close.close_realm"]);
  connection.send([50, 1, {}], [6, {}, "wamp.close.goodbye_and_out"]);
  await closing;
  await assert.rejects(calling, refusal("wamp.close.normal"));
  assert.deepEqual([(await closed).reason, (await closed).willRetry], ["wamp.close.normal", false]);
  await session.close();
  await sleep(QUIET);
  assert.equal(peer.unexpected, 0);
});

test("close() while connecting, while waiting, and before anything", async () => {
  const connecting = open();
  const connection = await peer.accept();
  await connecting.close();
  await connection.ended;
  const { session: waiting, connection: other } = await joined({ retry: { first: 40 } });
  other.cut();
  await next(waiting, "closed");
  await waiting.close();
  await open().close();
  await sleep(QUIET);
  assert.equal(peer.unexpected, 0);
});

test("a router that says nothing is left after the deadline and tried again", async () => {
  const session = open({ deadline: 50 });
  const closed = next(session, "closed");
  await (await peer.accept()).receive();
  assert.deepEqual([(await closed).reason, (await closed).willRetry], ["wampgate.client.no_answer", true]);
  await (await peer.accept()).welcome();
  await session.joined();
});

for (const [name, nonsense] of [
  ["no JSON", "{nonsense"], ["no list", { a: 1 }], ["null", null], ["EVENT before WELCOME", [36, 1, 1, {}]], ["a second HELLO", [1, "realm1", {}]],
]) {
  test(`nonsense while joining (${name}) is ABORT and no retry`, async () => {
    const session = open();
    const closed = next(session, "closed");
    const connection = await peer.accept();
    await connection.receive();
    connection.send(nonsense);
    const abort = await connection.receive();
    assert.deepEqual([abort[0], abort[2]], [3, "wamp.error.protocol_violation"]);
    assert.deepEqual([(await closed).reason, (await closed).willRetry], ["wamp.error.protocol_violation", false]);
  });
}

test("a second WELCOME is ABORT", async () => {
  const { session, connection } = await joined();
  const closed = next(session, "closed");
  connection.send([2, 1, {}]);
  assert.equal((await connection.receive())[2], "wamp.error.protocol_violation");
  assert.equal((await closed).willRetry, false);
});

test("an address that is none is told and not tried again", async () => {
  const session = open({ url: "http//nowhere" });
  const { reason, willRetry } = await next(session, "closed");
  assert.deepEqual([reason, willRetry], ["wampgate.client.bad_url", false]);
});

test("a subscription that the router takes back is told and not asked for again", async () => {
  const { session, connection } = await joined();
  const got = [];
  const subscribing = session.subscribe("organization.7", () => got.push(1));
  await connection.grant(5);
  await subscribing;
  const lost = next(session, "lost");
  connection.send([35, 0, { subscription: 5, reason: "wamp.error.not_authorized" }], [36, 5, 1, {}]);
  assert.deepEqual([(await lost).topic, (await lost).reason], ["organization.7", "wamp.error.not_authorized"]);
  connection.cut();
  const again = await peer.accept();
  await again.welcome();
  await session.joined();
  await sleep(20);
  assert.deepEqual([again.unread, got.length], [0, 0]);
});

test("a subscription that is not renewed after a reconnect is told", async () => {
  const { session, connection } = await joined();
  const subscribing = session.subscribe("organization.7", () => {});
  await connection.grant(5);
  await subscribing;
  connection.cut();
  const again = await peer.accept();
  await again.welcome();
  const lost = next(session, "lost");
  await again.receive();
  again.send([8, 32, 1, {}, "wamp.error.not_authorized", ["no more"]]);
  assert.deepEqual(await lost, { topic: "organization.7", reason: "wamp.error.not_authorized", message: "no more" });
});

test("leaving and coming back while the router is being asked keeps the subscription", async () => {
  const { session, connection } = await joined();
  const subscribing = session.subscribe("t.one", () => {});
  await connection.grant(5);
  const subscription = await subscribing;
  connection.cut();
  const again = await peer.accept();
  await again.welcome();
  await again.receive("SUBSCRIBE");
  await subscription.unsubscribe();
  const got = [];
  const returning = session.subscribe("t.one", () => got.push(1));
  again.send([33, 1, 6]);
  await returning;
  again.send([36, 6, 1, {}]);
  await sleep(20);
  assert.deepEqual([got.length, again.unread], [1, 0]);
});

test("leaving for good while the router is being asked takes back what it grants", async () => {
  const { session, connection } = await joined();
  const subscribing = session.subscribe("t.one", () => {});
  await connection.grant(5);
  const subscription = await subscribing;
  connection.cut();
  const again = await peer.accept();
  await again.welcome();
  await again.receive("SUBSCRIBE");
  await subscription.unsubscribe();
  again.send([33, 1, 6]);
  assert.deepEqual(await again.receive(), [34, 2, 6]);
});

test("a handler that fails stops nobody else", async (context) => {
  const said = context.mock.method(console, "error", () => {});
  const { session, connection } = await joined();
  const got = [];
  session.subscribe("t.one", () => { throw new Error("broken"); });
  session.subscribe("t.one", () => got.push(1));
  await connection.grant(5);
  connection.send([36, 5, 1, {}], [36, 5, 2, {}]);
  await sleep(20);
  assert.deepEqual([got.length, said.mock.callCount()], [2, 2]);
  assert.equal(session.state, "joined");
});
