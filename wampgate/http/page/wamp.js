/**
 * A WAMP client over WebSocket and JSON: subscribe, publish, call, register, reconnect. No dependencies but
 * `recovery.js` beside it.
 *
 *     const session = connect({ url: "wss://news.example.org/ws", realm: "realm1", ticket: token });
 *     session.addEventListener("closed", ({ detail }) => console.log(detail.message, detail.willRetry));
 *     await session.subscribe("organization.7", (args, kwargs) => console.log(args, kwargs));
 *
 * A session outlives its connections. When the transport is lost it connects again, with backoff, and
 * subscribes and registers again what was there. When the router ends it for a reason that asking again can't
 * cure (ABORT or GOODBYE: denied, expired, killed), it stays closed.
 *
 * It emits `connecting` {attempt}, `joined` {session, authid, authrole, organizations, details},
 * `lost` {topic, reason, message} (a subscription that the router took back or did not renew),
 * `missed` {topic, reason} (events of a subscription with `recover` may be missing) and
 * `closed` {reason, message, willRetry, retryIn}.
 *
 * @typedef {unknown[]} Args
 * @typedef {Record<string, unknown>} Dict
 * @typedef {(args: Args, kwargs: Dict, details: Dict) => void} EventHandler
 * @typedef {(args: Args, kwargs: Dict, details: Dict) => unknown} CallHandler  its result becomes the one argument
 * @typedef {{args: Args, kwargs: Dict, details: Dict}} Result
 * @typedef {{reason: string, message: string, willRetry: boolean, retryIn: number}} Closed  `retryIn` in milliseconds
 * @typedef {object} ConnectOptions
 * @property {string} url  where the router listens: `ws://` or `wss://`
 * @property {string} realm
 * @property {string | (() => string | Promise<string>)} [ticket]  a token, or what fetches a fresh one for each try
 * @property {string[]} [authmethods]  other methods than a ticket
 * @property {string} [authid]  who to be; the router knows it from the ticket
 * @property {Dict} [authextra]
 * @property {(method: string, extra: Dict) => string | Promise<string>} [onchallenge]  answers for `authmethods`
 * @property {false | {first?: number, longest?: number}} [retry]  waits in milliseconds: 500 and 30000; false for never
 * @property {number} [deadline]  for one try to join, in milliseconds: 15000
 * @property {typeof WebSocket} [WebSocket]  for a runtime that has none
 */

import { Recovery } from "./recovery.js";

const HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, AUTHENTICATE = 5, GOODBYE = 6, ERROR = 8;
const PUBLISH = 16, PUBLISHED = 17, SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34, UNSUBSCRIBED = 35, EVENT = 36;
const CALL = 48, RESULT = 50, REGISTER = 64, REGISTERED = 65, UNREGISTER = 66, UNREGISTERED = 67;
const INVOCATION = 68, YIELD = 70;
const ANSWERS = new Set([PUBLISHED, SUBSCRIBED, UNSUBSCRIBED, RESULT, REGISTERED, UNREGISTERED]);

const ROLES = {
  publisher: { features: { publisher_identification: true, subscriber_blackwhite_listing: true } },
  subscriber: {
    features: { pattern_based_subscription: true, publisher_identification: true, subscription_revocation: true },
  },
  caller: { features: { caller_identification: true } },
  callee: { features: { caller_identification: true, pattern_based_registration: true } },
};

/** Ends that asking again later may cure; every other ABORT or GOODBYE is final. */
const CURABLE = new Set([
  "wamp.error.authentication_failed", "wamp.error.authorization_failed", "wamp.close.system_shutdown",
  "wampgate.error.limit_exceeded", "wampgate.client.no_answer", "wampgate.client.no_ticket",
]);
/** Curable with a new ticket, if there is something that fetches one. */
const TOKEN_EXPIRED = "wampgate.close.token_expired";
/** WebSocket close codes that would come again: the peer's or our own mistake, not the network's. */
const FINAL_CODES = new Set([1002, 1003, 1007, 1008, 1009, 1010]);
/** A session that lived this long, in milliseconds, ended by itself: the next wait is a short one again. */
const SETTLED = 10_000;

/** What the router or a callee answered instead of a result. */
export class WampError extends Error {
  /** @param {string} uri @param {Args} [args] @param {Dict} [kwargs] */
  constructor(uri, args = [], kwargs = {}) {
    super(typeof args[0] === "string" ? args[0] : uri);
    this.name = "WampError";
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

/** @param {ConnectOptions} options @returns {Session} a session that is connecting already */
export function connect(options) {
  return new Session(options);
}

/** The end of a message that carries a payload, in its shortest form. @param {Args} args @param {Dict} kwargs */
const payload = (args, kwargs) => (Object.keys(kwargs).length ? [args, kwargs] : args.length ? [args] : []);

/**
 * A subscription or registration as the application asked for it: it outlives connections. `id` is the router's
 * for it, null while there is none; `made` tells whether there ever was one.
 *
 * @typedef {{verb: number, uri: string, options: Dict, id: number | null, made: boolean, handlers: Set<{handler: Function}>,
 *   recovery: Recovery | null, ready: Promise<void>, resolve: () => void, reject: (error: WampError) => void}} Standing
 * @typedef {{resolve: (message: any[]) => void, reject: (error: WampError) => void}} Asked  who waits for an answer
 */

export class Session extends EventTarget {
  /** @type {ConnectOptions} */ #options;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {"connecting" | "joined" | "waiting" | "closing" | "closed"} */ #state = "connecting";
  #request = 0;
  #attempt = 0;
  #joinedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** Why the connection is about to end, if it was said. @type {{reason: string, message: string} | null} */ #end = null;
  /** By request id. @type {Map<number, Asked>} */ #pending = new Map();
  /** By what was asked. @type {Map<string, Standing>} */ #standing = new Map();
  /** @type {Map<number, Standing>} */ #subscriptions = new Map();
  /** @type {Map<number, Standing>} */ #registrations = new Map();

  /** @param {ConnectOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    // Listeners are added after the constructor returned: they miss nothing.
    queueMicrotask(() => this.#state === "connecting" && this.#connect());
  }

  get state() {
    return this.#state;
  }

  /** Resolves once joined; rejects once closed for good. @returns {Promise<void>} */
  joined() {
    if (this.#state === "joined") return Promise.resolve();
    if (this.#state === "closed") return Promise.reject(new WampError("wampgate.client.not_joined"));
    const over = new AbortController();
    return new Promise((resolve, reject) => {
      this.addEventListener("joined", () => resolve(over.abort()), { signal: over.signal });
      this.addEventListener("closed", (event) => {
        const { reason, message, willRetry } = /** @type {CustomEvent<Closed>} */ (event).detail;
        if (!willRetry) reject(new WampError(reason, [message])), over.abort();
      }, { signal: over.signal });
    });
  }

  /**
   * Receive a topic's events. Before the session has joined, it is asked as soon as it has.
   *
   * @param {string} topic @param {EventHandler} handler
   * With `recover`, each event comes once, those of a time without connection too, where the router keeps them;
   * where it can't say that it has all, there is a `missed`.
   *
   * @param {{match?: "exact" | "prefix" | "wildcard", recover?: boolean} & Dict} [options]
   * @returns {Promise<{topic: string, unsubscribe: () => Promise<void>}>} rejects with a WampError if refused
   */
  async subscribe(topic, handler, { recover = false, ...options } = {}) {
    const unsubscribe = await this.#stand(SUBSCRIBE, topic, handler, options, recover);
    return { topic, unsubscribe };
  }

  /** @param {{unsubscribe: () => Promise<void>}} subscription what `subscribe` returned */
  unsubscribe(subscription) {
    return subscription.unsubscribe();
  }

  /**
   * Answer the calls of a procedure. A WampError that the handler throws reaches the caller as it is.
   *
   * @param {string} procedure @param {CallHandler} handler @param {Dict} [options]
   * @returns {Promise<{procedure: string, unregister: () => Promise<void>}>} rejects with a WampError if refused
   */
  async register(procedure, handler, options = {}) {
    const unregister = await this.#stand(REGISTER, procedure, handler, options);
    return { procedure, unregister };
  }

  /**
   * @param {string} topic @param {Args} [args] @param {Dict} [kwargs] @param {{acknowledge?: boolean} & Dict} [options]
   * @returns {Promise<number | null>} the publication id if `acknowledge` was asked for
   */
  async publish(topic, args = [], kwargs = {}, options = {}) {
    if (options.acknowledge) return (await this.#ask(PUBLISH, [options, topic, ...payload(args, kwargs)]))[2];
    this.#begin(PUBLISH, [options, topic, ...payload(args, kwargs)]);
    return null;
  }

  /**
   * @param {string} procedure @param {Args} [args] @param {Dict} [kwargs] @param {Dict} [options]
   * @returns {Promise<Result>} rejects with a WampError: the callee's, the router's, or of a lost connection
   */
  async call(procedure, args = [], kwargs = {}, options = {}) {
    const answer = await this.#ask(CALL, [options, procedure, ...payload(args, kwargs)]);
    return { details: answer[2], args: answer[3] ?? [], kwargs: answer[4] ?? {} };
  }

  /** Leave, and stay away. Resolves when the connection has ended. @returns {Promise<void>} */
  close() {
    const ended = new Promise((resolve) => this.addEventListener("closed", () => resolve(undefined), { once: true }));
    if (this.#state === "closed") return Promise.resolve();
    this.#end = { reason: "wamp.close.normal", message: "closed here" };
    if (this.#state === "joined") {
      this.#state = "closing";
      this.#send([GOODBYE, {}, "wamp.close.close_realm"]);
      this.#deadline(2_000);
    } else if (this.#state !== "closing") {
      this.#state = "closing";
      if (this.#socket) this.#drop();
      else this.#ended(1000);
    }
    return /** @type {Promise<void>} */ (ended);
  }

  /** Connect at once instead of when the wait is over. */
  retry() {
    if (this.#state === "waiting") this.#connect();
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#state = "connecting";
    this.#request = 0;
    this.#end = null;
    this.#emit("connecting", { attempt: ++this.#attempt });
    let socket;
    try {
      socket = new (this.#options.WebSocket ?? WebSocket)(this.#options.url, ["wamp.2.json"]);
    } catch (error) {
      this.#end = { reason: "wampgate.client.bad_url", message: String(error) };
      return this.#ended(1000);
    }
    this.#socket = socket;
    this.#deadline(this.#options.deadline ?? 15_000);
    socket.onopen = () => socket === this.#socket && this.#hello();
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = ({ code }) => socket === this.#socket && this.#ended(code);
    // What went wrong is told by the close event that follows; Node's "ws" throws if nobody listens here.
    socket.onerror = () => {};
  }

  /** End the connection if nothing else has until then. @param {number} wait in milliseconds */
  #deadline(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#end ??= { reason: "wampgate.client.no_answer", message: "The router did not answer in time." };
      this.#drop();
    }, wait);
  }

  #hello() {
    const { realm, ticket, authmethods, authid, authextra } = this.#options;
    const methods = authmethods ?? (ticket ? ["ticket"] : undefined);
    // What is undefined is left out by JSON.
    this.#send([HELLO, realm, { roles: ROLES, agent: "wampgate-js", authmethods: methods, authid, authextra }]);
  }

  /** @param {unknown} data */
  #receive(data) {
    let message;
    try {
      message = JSON.parse(String(data));
    } catch {
      return this.#violated("a message that is not JSON");
    }
    if (!Array.isArray(message)) return this.#violated("a message that is not a list");
    if (this.#state === "joined") this.#established(message);
    else if (this.#state === "connecting") this.#establishing(message);
    else if (this.#state === "closing" && message[0] === GOODBYE) this.#drop();
  }

  /** @param {any[]} message */
  #establishing(message) {
    if (message[0] === WELCOME) this.#welcomed(message[1], message[2]);
    else if (message[0] === CHALLENGE) this.#challenged(message[1], message[2]);
    else if (message[0] === ABORT) this.#dismissed(message);
    else this.#violated(`message ${message[0]} before WELCOME`);
  }

  /** @param {any[]} message */
  #established(message) {
    const [code, first] = message;
    if (code === EVENT) this.#deliver(message);
    else if (code === ERROR) this.#answered(message[2])?.reject(new WampError(message[4], message[5], message[6]));
    else if (code === UNSUBSCRIBED && first === 0) this.#revoked(message[2]);
    else if (ANSWERS.has(code)) this.#answered(first)?.resolve(message);
    else if (code === INVOCATION) this.#invoked(message);
    else if (code === GOODBYE) {
      this.#send([GOODBYE, {}, "wamp.close.goodbye_and_out"]);
      this.#dismissed(message);
    } else if (code === ABORT) this.#dismissed(message);
    else this.#violated(`message ${code} within a session`);
  }

  /** @param {string} method @param {Dict} extra */
  async #challenged(method, extra) {
    const socket = this.#socket;
    const { ticket, onchallenge } = this.#options;
    try {
      const signature = await (onchallenge ? onchallenge(method, extra) : typeof ticket === "function" ? ticket() : ticket);
      if (socket === this.#socket && this.#state === "connecting") this.#send([AUTHENTICATE, signature, {}]);
    } catch (error) {
      if (socket !== this.#socket) return;
      this.#end = { reason: "wampgate.client.no_ticket", message: String(error) };
      this.#drop();
    }
  }

  /** @param {number} id @param {Dict} details */
  #welcomed(id, details) {
    clearTimeout(this.#timer);
    this.#state = "joined";
    this.#joinedAt = Date.now();
    for (const [key, standing] of this.#standing) this.#make(key, standing);
    const { authid, authrole, authextra } = /** @type {any} */ (details);
    this.#emit("joined", { session: id, authid, authrole, organizations: authextra?.organizations ?? [], details });
  }

  /** ABORT, or a GOODBYE that was answered. @param {any[]} message */
  #dismissed([, details, reason]) {
    this.#end = { reason: String(reason), message: String(details?.message ?? reason) };
    this.#drop();
  }

  /** @param {string} what */
  #violated(what) {
    this.#end = { reason: "wamp.error.protocol_violation", message: `The router sent ${what}.` };
    this.#send([ABORT, { message: this.#end.message }, this.#end.reason]);
    this.#drop();
  }

  /** End the connection without waiting for the peer's part of it. */
  #drop() {
    this.#socket?.close(1000);
    this.#ended(1000);
  }

  /** @param {number} code how the connection ended: a WebSocket close code */
  #ended(code) {
    clearTimeout(this.#timer);
    this.#socket = null;
    if (this.#state === "joined" && Date.now() - this.#joinedAt > SETTLED) this.#attempt = 0;
    const end = this.#end ?? { reason: "wampgate.client.connection_lost", message: `The connection ended (code ${code}).` };
    const willRetry = this.#state !== "closing" && this.#options.retry !== false && this.#curable(code);
    this.#state = willRetry ? "waiting" : "closed";
    const retryIn = willRetry ? this.#wait() : 0;
    if (willRetry) this.#timer = setTimeout(() => this.#connect(), retryIn);
    this.#forget(new WampError(end.reason, [end.message]), willRetry);
    this.#emit("closed", { ...end, willRetry, retryIn });
  }

  /** @param {number} code */
  #curable(code) {
    if (!this.#end) return !FINAL_CODES.has(code);
    if (this.#end.reason === TOKEN_EXPIRED) return typeof this.#options.ticket === "function";
    return CURABLE.has(this.#end.reason);
  }

  /** The wait before the next try, in milliseconds: doubling, and random so that not all come back at once. */
  #wait() {
    const { first = 500, longest = 30_000 } = this.#options.retry || {};
    return Math.min(longest, first * 2 ** Math.max(0, this.#attempt - 1)) * (0.5 + Math.random() / 2);
  }

  /** Nothing of this connection is left. @param {WampError} error @param {boolean} willRetry */
  #forget(error, willRetry) {
    const asked = [...this.#pending.values()];
    this.#pending.clear();
    this.#subscriptions.clear();
    this.#registrations.clear();
    for (const standing of this.#standing.values()) {
      standing.id = null;
      if (!willRetry) standing.reject(error);
    }
    for (const { reject } of asked) reject(error);
  }

  /**
   * Subscribe or register, now or as soon as joined; two subscriptions to one topic share the router's one.
   *
   * @param {number} verb @param {string} uri @param {Function} handler @param {Dict} options
   * @param {boolean} [recover]
   * @returns {Promise<() => Promise<void>>} what takes it back
   */
  async #stand(verb, uri, handler, options, recover = false) {
    if (this.#state === "closing" || this.#state === "closed") throw new WampError("wampgate.client.not_joined");
    const key = JSON.stringify([verb, uri, options.match ?? "exact"]);
    let standing = this.#standing.get(key);
    if (standing?.handlers.size && verb === REGISTER) throw new WampError("wamp.error.procedure_already_exists", [uri]);
    const own = { handler };
    if (standing) {
      standing.handlers.add(own);
      if (recover && !standing.recovery) {
        standing.recovery = this.#recovery(standing);
        if (standing.id !== null) await this.#catchUp(standing);
      }
    } else {
      /** @type {any} */ let settle;
      const ready = new Promise((resolve, reject) => (settle = { resolve, reject }));
      // A copy: what JSON can't carry fails here, and not at each reconnect.
      const kept = JSON.parse(JSON.stringify(options));
      /** @type {Standing} */
      const made = { verb, uri, options: kept, id: null, made: false, handlers: new Set([own]), recovery: null, ready, ...settle };
      if (recover) made.recovery = this.#recovery(made);
      standing = made;
      this.#standing.set(key, standing);
      if (this.#state === "joined") this.#make(key, standing);
    }
    await standing.ready;
    return () => this.#takeBack(key, standing, own);
  }

  /** @param {string} key @param {Standing} standing */
  #make(key, standing) {
    this.#begin(standing.verb, [standing.options, standing.uri], {
      resolve: ([, , id]) => {
        standing.id = id;
        standing.made = true;
        (standing.verb === SUBSCRIBE ? this.#subscriptions : this.#registrations).set(id, standing);
        if (standing.recovery) this.#catchUp(standing).then(standing.resolve);
        else standing.resolve();
        if (!standing.handlers.size) this.#remove(key, standing).catch(() => {});
      },
      reject: (error) => {
        if (this.#state !== "joined") return; // the connection was lost: the next one makes it
        this.#standing.delete(key);
        standing.reject(error);
        if (standing.made) this.#emit("lost", { topic: standing.uri, reason: error.uri, message: error.message });
      },
    });
  }

  /** @param {string} key @param {Standing} standing @param {{handler: Function}} own */
  async #takeBack(key, standing, own) {
    standing.handlers.delete(own);
    if (standing.handlers.size || this.#standing.get(key) !== standing) return;
    // While the router is being asked for it, removing waits for its answer, or a newer request could be undone.
    if (this.#state !== "joined" || standing.id !== null) await this.#remove(key, standing);
  }

  /** @param {string} key @param {Standing} standing */
  async #remove(key, standing) {
    const { id, verb } = standing;
    this.#standing.delete(key);
    if (id === null) return;
    (verb === SUBSCRIBE ? this.#subscriptions : this.#registrations).delete(id);
    await this.#ask(verb === SUBSCRIBE ? UNSUBSCRIBE : UNREGISTER, [id]);
  }

  /** The router took a subscription back ("Subscription Revocation"). @param {Dict} [details] */
  #revoked({ subscription, reason } = {}) {
    for (const [key, standing] of this.#standing) {
      if (standing.verb !== SUBSCRIBE || standing.id !== subscription) continue;
      this.#standing.delete(key);
      this.#subscriptions.delete(/** @type {number} */ (subscription));
      this.#emit("lost", { topic: standing.uri, reason: String(reason), message: "The router took the subscription back." });
    }
  }

  /** @param {any[]} message */
  #deliver([, subscription, publication, details, args = [], kwargs = {}]) {
    const standing = this.#subscriptions.get(subscription);
    if (!standing) return;
    if (standing.recovery) standing.recovery.take({ topic: standing.uri, ...details, publication, args, kwargs });
    else this.#handle(standing, args, kwargs, { ...details, publication });
  }

  /** @param {Standing} standing */
  #recovery(standing) {
    return new Recovery(
      ({ args, kwargs, ...details }) => this.#handle(standing, args, kwargs, details),
      (reason) => this.#emit("missed", { topic: standing.uri, reason }),
    );
  }

  /** Subscribed: have what was missed meanwhile. @param {Standing} standing */
  async #catchUp(standing) {
    const { uri, options, id } = standing;
    /** @param {Dict} position @returns {Promise<any>} */
    const ask = async (position) =>
      (await this.call("wampgate.history.recover", [uri, options.match ?? "exact"], position)).kwargs;
    await standing.recovery?.catchUp(ask, () => standing.id === id);
  }

  /** @param {Standing} standing @param {Args} args @param {Dict} kwargs @param {Dict} details */
  #handle(standing, args, kwargs, details) {
    for (const { handler } of standing.handlers) {
      try {
        handler(args, kwargs, details);
      } catch (error) {
        console.error("wamp: an event handler failed", error);
      }
    }
  }

  /** @param {any[]} message */
  async #invoked([, request, registration, details, args = [], kwargs = {}]) {
    const socket = this.#socket;
    try {
      const [own] = this.#registrations.get(registration)?.handlers ?? [];
      if (!own) throw new WampError("wamp.error.no_such_registration");
      const result = await own.handler(args, kwargs, details);
      if (socket === this.#socket) this.#send([YIELD, request, {}, ...(result === undefined ? [] : [[result]])]);
    } catch (error) {
      const failed = error instanceof WampError ? error : new WampError("wamp.error.runtime_error", [String(error)]);
      if (socket === this.#socket) this.#send([ERROR, INVOCATION, request, {}, failed.uri, ...payload(failed.args, failed.kwargs)]);
    }
  }

  /** @param {number} verb @param {unknown[]} rest @returns {Promise<any[]>} the router's answer */
  #ask(verb, rest) {
    return new Promise((resolve, reject) => this.#begin(verb, rest, { resolve, reject }));
  }

  /** @param {number} verb @param {unknown[]} rest @param {Asked} [asked] */
  #begin(verb, rest, asked) {
    if (this.#state !== "joined") throw new WampError("wampgate.client.not_joined");
    this.#send([verb, this.#request + 1, ...rest]);
    this.#request += 1;
    if (asked) this.#pending.set(this.#request, asked);
  }

  /** Who waits for the answer to a request, and no longer does. @param {number} request */
  #answered(request) {
    const asked = this.#pending.get(request);
    this.#pending.delete(request);
    return asked;
  }

  /** @param {unknown[]} message */
  #send(message) {
    this.#socket?.send(JSON.stringify(message));
  }

  /** @param {string} type @param {object} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
