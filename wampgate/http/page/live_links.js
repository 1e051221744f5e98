/**
 * Single connections for `live.js`: over stock autobahn-js, or over our own `wamp.js`. Neither comes back by itself;
 * that is decided in `live.js`, in the same way for both.
 *
 * @typedef {unknown[]} Args
 * @typedef {Record<string, any>} Dict
 * @typedef {(args: Args, kwargs: Dict, details: Dict) => unknown} EventHandler
 * @typedef {{reason: string, message: string, curable: boolean}} End  `reason` is a URI
 * @typedef {object} Link  a session that has joined
 * @property {(topic: string, handler: EventHandler, options?: Dict) => Promise<{unsubscribe: () => unknown}>} subscribe
 * @property {(procedure: string, args?: Args, kwargs?: Dict, options?: Dict) => Promise<{args: Args, kwargs: Dict}>} call
 * @property {(topic: string, args?: Args, kwargs?: Dict, options?: Dict) => Promise<unknown>} publish
 * @typedef {{joined: (link: Link) => void, closed: (end: End) => void}} Told  each called once at most
 * @typedef {(ticket: string | undefined, told: Told) => (() => void)} Open  connects and joins; returns what leaves
 * @typedef {object} Address
 * @property {string} url  where the router listens: `ws://` or `wss://`
 * @property {string} realm
 * @property {string} [authid]  who to be; the router knows it from the token
 * @property {Dict} [authextra]  `{organization: "7"}` to be refused at once if the user is no member of it
 * @property {typeof WebSocket} [WebSocket]  for a runtime that has none; wamp.js only
 */

export const LOST = "wampgate.client.connection_lost";

/** Ends and refusals that asking again later may cure. */
const CURABLE = new Set([
  "wamp.error.authentication_failed", "wamp.error.authorization_failed", "wamp.close.system_shutdown",
  "wampgate.error.limit_exceeded", "wampgate.client.no_token", LOST,
]);

/** @param {string} reason */
export const curable = (reason) => CURABLE.has(reason);

/**
 * Over stock autobahn-js, in Node too: `overAutobahn(autobahn, { url, realm })`.
 *
 * @param {any} autobahn  the library
 * @param {Address} address
 * @returns {Open}
 */
export const overAutobahn = (autobahn, address) => (ticket, told) => {
  const authmethods = ticket === undefined ? undefined : ["ticket"];
  const connection = new autobahn.Connection({ ...address, authmethods, onchallenge: () => ticket, max_retries: 0 });
  connection.onopen = (/** @type {any} */ session) =>
    told.joined({
      subscribe: async (...asked) => session.subscribe(...asked),
      publish: async (...asked) => session.publish(...asked),
      call: async (...asked) => {
        const result = await session.call(...asked);
        if (result instanceof autobahn.Result) return { args: result.args ?? [], kwargs: result.kwargs ?? {} };
        return { args: result === null ? [] : [result], kwargs: {} };
      },
    });
  connection.onclose = (/** @type {string} */ how, /** @type {any} */ { reason, message }) => {
    const known = reason ?? (how === "unsupported" ? "wampgate.client.unsupported" : LOST);
    told.closed({ reason: known, message: message || `The connection is ${how}.`, curable: curable(known) });
    return true; // it does not try again
  };
  connection.open();
  return () => {
    try {
      connection.close();
    } catch {
      // It has ended already.
    }
  };
};

/**
 * Over `wamp.js`: `overWamp(connect, { url, realm })`.
 *
 * @param {typeof import("./wamp.js").connect} connect
 * @param {Address} address
 * @returns {Open}
 */
export const overWamp = (connect, address) => (ticket, told) => {
  const session = connect({ ...address, ticket });
  session.addEventListener("joined", () => told.joined(session));
  session.addEventListener("closed", (event) => {
    const { reason, message, willRetry } = /** @type {CustomEvent<import("./wamp.js").Closed>} */ (event).detail;
    told.closed({ reason, message, curable: willRetry });
    session.close(); // it does not try again
  });
  return () => void session.close();
};
