/** Stock autobahn-js in Node proves who it is to the router at PORT, by wampcra and cryptosign. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(process.env.NPM_FOLDER);
const autobahn = require("autobahn");
const nacl = createRequire(require.resolve("autobahn"))("tweetnacl");
const { PORT } = process.env;
const url = `ws://127.0.0.1:${PORT}/ws`;
const key = nacl.sign.keyPair.fromSeed(Uint8Array.from({ length: 32 }, (_, index) => index));

/** WELCOME's details, or the reason why there is none. */
function outcome(connection) {
  return new Promise((resolve) => {
    connection.onopen = (session, details) => {
      resolve(details);
      connection.close();
    };
    connection.onclose = (reason, details) => {
      resolve(details.reason ?? reason);
      return true;
    };
    connection.open();
  });
}

function wampcra(authid, secret) {
  const onchallenge = (session, method, extra) => {
    assert.equal(method, "wampcra");
    const signing = extra.salt
      ? autobahn.auth_cra.derive_key(secret, extra.salt, extra.iterations, extra.keylen)
      : secret;
    return autobahn.auth_cra.sign(signing, extra.challenge);
  };
  return new autobahn.Connection({ url, realm: "realm1", authmethods: ["wampcra"], authid, onchallenge, max_retries: 0 });
}

for (const [authid, secret] of [["ann", "the secret"], ["salty", "password"]]) {
  test(`wampcra as ${authid}`, async () => {
    const details = await outcome(wampcra(authid, secret));
    assert.equal(details.authid, authid);
    assert.equal(details.authmethod, "wampcra");
  });

  test(`wampcra as ${authid} with a wrong secret`, async () => {
    assert.equal(await outcome(wampcra(authid, "wrong")), "wamp.error.authentication_denied");
  });
}

for (const authid of ["ann", undefined]) {
  test(`cryptosign, naming ${authid ?? "no one"}`, async () => {
    const connection = autobahn.auth_cryptosign.create_connection({ url, realm: "realm1", authid, pkey: key });
    const details = await outcome(connection);
    assert.equal(details.authid, "ann");
    assert.equal(details.authmethod, "cryptosign");
  });
}

test("cryptosign with another key", async () => {
  const pkey = nacl.sign.keyPair();
  const connection = autobahn.auth_cryptosign.create_connection({ url, realm: "realm1", pkey });
  assert.equal(await outcome(connection), "wamp.error.authentication_denied");
});
