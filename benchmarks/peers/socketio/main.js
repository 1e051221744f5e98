// A Socket.IO server under test: signed-in users join a room each, and its port is the one line that it prints.
'use strict'

const http = require('http')
const { createHash, timingSafeEqual } = require('crypto')
const { Server } = require('socket.io')
const { createAdapter } = require('@socket.io/redis-adapter')
const { createClient } = require('redis')

const { BENCH_TICKET, BENCH_BACKEND_TICKET, BENCH_REDIS } = process.env
const digestOf = (ticket) => createHash('sha256').update(ticket).digest()

if (!BENCH_TICKET || !BENCH_BACKEND_TICKET) {
  console.error('socket.io: nobody could join: set BENCH_TICKET and BENCH_BACKEND_TICKET')
  process.exit(1)
}

const principals = [
  { role: 'user', digest: digestOf(BENCH_TICKET) },
  { role: 'backend', digest: digestOf(BENCH_BACKEND_TICKET) },
]
const isTopic = (name) => typeof name === 'string' && name.startsWith('organization.')

// Users name the room they want to be in; backends are in none.
function authenticate (socket, next) {
  const { token, room } = socket.handshake.auth
  const shown = digestOf(String(token))
  const found = principals.find(({ digest }) => timingSafeEqual(digest, shown))
  if (!found) return next(new Error('invalid token'))
  if (found.role === 'user' && !isTopic(room)) return next(new Error('not authorized'))
  socket.data = { role: found.role, room }
  next()
}

// Within the turn in which the client is told that it is connected: once it knows, it is in its room.
function connected (io, socket) {
  const { role, room } = socket.data
  if (role === 'user') return socket.join(room)
  socket.on('publish', (topic, text, acknowledge) => {
    if (!isTopic(topic) || typeof acknowledge !== 'function') return socket.disconnect(true)
    io.to(topic).emit('news', text)
    acknowledge()
  })
}

// Two connections, since one that reads channels can do nothing else.
async function redisAdapter (port) {
  const publishing = createClient({ url: `redis://127.0.0.1:${port}` })
  const subscribing = publishing.duplicate()
  for (const client of [publishing, subscribing]) {
    client.on('error', (error) => { console.error('socket.io: Redis:', error.message); process.exit(1) })
    await client.connect()
  }
  return createAdapter(publishing, subscribing)
}

async function serve () {
  const server = http.createServer((request, response) => response.writeHead(404).end())
  const io = new Server(server, {
    transports: ['websocket'],
    serveClient: false,
    ...(BENCH_REDIS ? { adapter: await redisAdapter(BENCH_REDIS) } : {}),
  })
  io.use(authenticate)
  io.on('connection', (socket) => connected(io, socket))
  server.listen(0, '127.0.0.1', () => console.log(server.address().port))
}

serve().catch((error) => {
  console.error('socket.io:', error.message)
  process.exit(1)
})
