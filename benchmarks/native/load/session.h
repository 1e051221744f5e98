/* session: a client over WebSocket, from connecting to its events and results. */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "../wire/connection.h"
#include "options.h"

enum role { SUBSCRIBER, PUBLISHER, CALLER, CALLEE };
enum stage { CONNECTING, UPGRADING, JOINING, ANNOUNCING, READY, GONE };

struct session {
    struct connection connection; /* first: epoll knows the session by it */
    enum role role;
    enum stage stage;
    enum serializer as;
    unsigned number; /* among those of its role */
    uint64_t began;  /* when it started to connect */
    uint64_t request;
    uint64_t expected; /* the scenario's: the next sequence number */
};

/* What a scenario wants to hear of. */
struct listener {
    void (*event)(struct session *session, const uint8_t *text, size_t length);
    void (*published)(struct session *session);
    void (*result)(struct session *session, uint64_t request, const uint8_t *text, size_t length);
    void (*ready)(struct session *session);
    void (*pinged)(struct session *session); /* and it has been answered */
};

void session_setup(const struct options *options, const struct listener *listener);

/* Let so many sessions join, several at a time, and wait until all are ready: subscribers have subscribed,
 * callees registered. Returns false at the first fault. */
bool sessions_join(struct session *sessions, unsigned count, enum role role);

/* Handle what the server sends, for at most so many nanoseconds. */
void sessions_poll(int64_t nanoseconds);

/* Queue a publication that is to be acknowledged, or a call; session_flush lets it go. A call's request id is
 * returned. */
void session_publish(struct session *session, const char *topic, const uint8_t *text);
uint64_t session_call(struct session *session, const char *procedure, const uint8_t *text);
void session_flush(struct session *session);

/* The name of topic or procedure number `number`. Valid until the next call. */
const char *numbered(const char *name, unsigned number);

/* Nanoseconds of a clock that only goes on. */
uint64_t now(void);

#endif
