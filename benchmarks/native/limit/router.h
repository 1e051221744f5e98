/* router: the least that a WAMP router has to do: one topic's events to its subscribers, a call to its callee. */
#ifndef BENCH_ROUTER_H
#define BENCH_ROUTER_H

#include <stdbool.h>

#include "../wire/connection.h"
#include "../wire/values.h"

struct uri; /* a topic or procedure */

struct peer {
    struct connection connection; /* first: epoll knows the peer by it */
    bool upgraded;
    enum serializer as;
    bool changed; /* has output that waits for the end of the round */
    bool calls, registers;
    struct uri *subscribed;
};

/* `joined`: what is sent within one round of epoll leaves in one send per connection at the round's end. */
void router_setup(bool joined);

/* A message of a peer. What can't be understood is passed over: the generator will miss its answer. */
void router_take(struct peer *peer, const uint8_t *message, size_t length);

void router_round_ends(void);

/* Forget a peer. */
void router_leave(struct peer *peer);

#endif
