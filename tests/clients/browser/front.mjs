/** A web server for tests of pages: it has some files, and a router behind it. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect as dial } from "node:net";

const TYPES = { html: "text/html", js: "text/javascript" };

/**
 * It passes upgrades on, byte by byte, as a proxy in front of a router does.
 *
 * @param {Record<string, string>} files  paths by the names that they have here
 * @param {() => number} port  of the router
 */
export async function startFront(files, port) {
  const server = createServer(async (request, response) => {
    const name = new URL(request.url, "http://front").pathname.slice(1);
    if (!Object.hasOwn(files, name)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[name.split(".").at(-1)] }).end(await readFile(files[name]));
  });
  server.on("upgrade", (request, client) => {
    const lines = [`GET ${request.url} HTTP/1.1`];
    for (let at = 0; at < request.rawHeaders.length; at += 2) lines.push(request.rawHeaders.slice(at, at + 2).join(": "));
    const upstream = dial(port(), "127.0.0.1", () => upstream.write(`${lines.join("\r\n")}\r\n\r\n`));
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.pipe(to);
      from.on("error", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.origin = `http://127.0.0.1:${server.address().port}`;
  return server;
}
