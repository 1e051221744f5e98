/** What live_links.js offers, for TypeScript: put it beside live_links.js. */

export type Args = unknown[];
export type Dict = Record<string, any>;
export type EventHandler = (args: Args, kwargs: Dict, details: Dict) => unknown;

/** How a connection ended: `reason` is a URI. */
export interface End {
  reason: string;
  message: string;
  /** Whether the same attempt may succeed later. */
  curable: boolean;
}

/** A session that has joined. */
export interface Link {
  subscribe(topic: string, handler: EventHandler, options?: Dict): Promise<{ unsubscribe: () => unknown }>;
  call(procedure: string, args?: Args, kwargs?: Dict, options?: Dict): Promise<{ args: Args; kwargs: Dict }>;
  publish(topic: string, args?: Args, kwargs?: Dict, options?: Dict): Promise<unknown>;
}

/** Connects and joins; returns what leaves. Any WAMP library can be given this form. */
export type Open = (
  ticket: string | undefined,
  told: { joined: (link: Link) => void; closed: (end: End) => void },
) => () => void;

export interface Address {
  /** `ws://` or `wss://`. */
  url: string;
  realm: string;
  authid?: string;
  authextra?: Dict;
  /** For a runtime that has none; wamp.js only. */
  WebSocket?: typeof WebSocket;
}

/** Over stock autobahn-js. */
export function overAutobahn(autobahn: any, address: Address): Open;

/** Over wamp.js, whose `connect` it takes. */
export function overWamp(connect: (options: any) => any, address: Address): Open;
