// A fox-wamp router under test: tickets for two principals, rights by role, and its port as the one line that it prints.
'use strict'

const http = require('http')
const Router = require('fox-wamp')

const principals = new Map([
  ['bench', { role: 'user', ticket: process.env.BENCH_TICKET }],
  ['backend', { role: 'backend', ticket: process.env.BENCH_BACKEND_TICKET }],
])

for (const [authid, { ticket }] of principals) {
  if (!ticket) {
    console.error(`fox-wamp: no ticket for ${authid}: set BENCH_TICKET and BENCH_BACKEND_TICKET`)
    process.exit(1)
  }
}

// Users subscribe to what is their organization's, backends publish it. fox-wamp asks nobody about calls.
const rights = {
  getAuthMethods: () => ['ticket'],
  ticket_auth (realm, details, ticket, extra, done) {
    const known = principals.get(details.authid)
    if (known && known.ticket === ticket) {
      done(undefined, { role: known.role })
    } else {
      done(new Error('invalid ticket'))
    }
  },
  authorize (session, action, uri) {
    const { role } = session.getUserDetails()
    return uri[0] === 'organization' && role === (action === 'subscribe' ? 'user' : 'backend')
  },
}

const server = http.createServer((request, response) => response.writeHead(404).end())
new Router().listenWAMP({ server, path: '/ws' }, rights)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
