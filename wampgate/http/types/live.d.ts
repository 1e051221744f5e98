/** What live.js offers, for TypeScript: put it beside live.js. */

import type { Args, Dict, EventHandler, Link, Open } from "./live_links.js";

export interface State {
  name: "connecting" | "joined" | "waiting" | "closed";
  attempt: number;
  /** A URI: how the connection before ended; empty while connecting or joined. */
  reason: string;
  message: string;
  /** In milliseconds; 0 unless waiting. */
  retryIn: number;
}

/** Events may be missing. */
export interface Gap {
  topic: string;
  match: string;
  why: string;
  /** ISO 8601, UTC. */
  since?: string;
  dropped?: number | null;
}

/** The router has taken a subscription back. */
export interface Lost {
  topic: string;
  /** A URI. */
  reason: string;
  message: string;
}

export interface LiveOptions {
  open: Open;
  /** A token, or what fetches a fresh one: for each connection, and before the one shown ends. */
  token?: string | (() => string | Promise<string>);
  /** The bounds of the waits, in milliseconds: 1000 and 30000. */
  retry?: { first?: number; longest?: number };
  onstate?: (state: State) => void;
  /** From 0 to 1; Math.random if left out. */
  random?: () => number;
}

export interface SubscribeOptions {
  match?: "exact" | "prefix" | "wildcard";
  /** Whether events of a time without connection come too: true. */
  recover?: boolean;
  ongap?: (gap: Gap) => void;
  onlost?: (lost: Lost) => void;
}

export interface Subscription {
  topic: string;
  unsubscribe(): Promise<void>;
}

export interface LiveSession {
  readonly state: State;
  /** The connection, once there is one; rejects once closed for good. */
  joined(): Promise<Link>;
  /** Rejects if the router refuses. */
  subscribe(topic: string, handler: EventHandler, options?: SubscribeOptions): Promise<Subscription>;
  call(procedure: string, args?: Args, kwargs?: Dict, options?: Dict): Promise<{ args: Args; kwargs: Dict }>;
  publish(topic: string, args?: Args, kwargs?: Dict, options?: Dict): Promise<unknown>;
  /** Connect now instead of when the wait is over. */
  retry(): void;
  /** Leave, and stay away. */
  close(): void;
}

/** A session that is connecting already. */
export function live(options: LiveOptions): LiveSession;
