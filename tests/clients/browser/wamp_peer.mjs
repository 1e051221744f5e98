/** A WAMP router's end of a WebSocket, played by a test line by line: it knows no rules and can break all of them. */

import { createRequire } from "node:module";
import { once } from "node:events";

const { WebSocketServer } = createRequire(process.env.NPM_FOLDER)("ws");
const PATIENCE = 3_000;

/** What comes one by one and is awaited one by one. */
class Arrivals {
  #there = [];
  #waiting = [];

  put(item) {
    const taker = this.#waiting.shift();
    if (taker) taker(item);
    else this.#there.push(item);
  }

  take(what) {
    if (this.#there.length) return Promise.resolve(this.#there.shift());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what} came`)), PATIENCE);
      this.#waiting.push((item) => (clearTimeout(timer), resolve(item)));
    });
  }

  get size() {
    return this.#there.length;
  }
}

class Connection {
  #messages = new Arrivals();

  constructor(socket) {
    this.socket = socket;
    this.ended = once(socket, "close").then(([code]) => code);
    socket.on("message", (data) => this.#messages.put(JSON.parse(data)));
  }

  receive(what = "message") {
    return this.#messages.take(what);
  }

  /** How many messages nobody has received yet. */
  get unread() {
    return this.#messages.size;
  }

  send(...messages) {
    // Corked, so that several arrive in one read.
    this.socket._socket.cork();
    for (const message of messages) this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
    this.socket._socket.uncork();
  }

  /** Let the client in by its ticket; returns its HELLO and its ticket. */
  async welcome(details = {}) {
    const hello = await this.receive("HELLO");
    this.send([4, "ticket", {}]);
    const [, ticket] = await this.receive("AUTHENTICATE");
    this.send([2, 9129137332, { authid: "alice", authrole: "member", roles: { broker: {}, dealer: {} }, ...details }]);
    return { hello, ticket };
  }

  /** Receive a SUBSCRIBE or REGISTER and grant it. */
  async grant(id) {
    const message = await this.receive("SUBSCRIBE or REGISTER");
    this.send([message[0] + 1, message[1], id]);
    return message;
  }

  close(code) {
    this.socket.close(code);
  }

  cut() {
    this.socket.terminate();
  }
}

export class Peer {
  #connections = new Arrivals();

  static async listen() {
    const peer = new Peer();
    peer.server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: (offered) => [...offered][0] });
    peer.server.on("connection", (socket) => peer.#connections.put(new Connection(socket)));
    await once(peer.server, "listening");
    peer.url = `ws://127.0.0.1:${peer.server.address().port}/ws`;
    return peer;
  }

  accept() {
    return this.#connections.take("connection");
  }

  /** How many connections came that nobody accepted. */
  get unexpected() {
    return this.#connections.size;
  }

  stop() {
    for (const socket of this.server.clients) socket.terminate();
    this.server.close();
  }
}
