/* protocol: what sessions say and understand: WAMP, or what a server that does the same job speaks instead. */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H

#include "session.h"

struct protocol {
    const char *name;
    const char *subprotocol; /* of the WebSocket, with the serializer's name behind it; NULL: none is asked for */
    bool any_serializer;     /* else JSON only */

    /* The WebSocket is open. */
    void (*opened)(struct session *session);

    /* Take a frame's payload. Returns false if it is not as it should be, or not expected now. */
    bool (*take)(struct session *session, const uint8_t *from, size_t length);

    void (*publish)(struct session *session, const char *topic, const uint8_t *text, size_t length);

    /* Returns the request's id. NULL: clients can't call clients. */
    uint64_t (*call)(struct session *session, const char *procedure, const uint8_t *text, size_t length);

    /* Append what a backend publishes on Redis, and the channel. NULL: such servers read no Redis. */
    void (*backend)(struct bytes *channel, struct bytes *message, const char *topic, const uint8_t *text,
                    size_t length);
};

extern const struct protocol wamp_protocol, centrifuge_protocol, socketio_protocol;

/* The protocol of a name; NULL if there is none. */
const struct protocol *protocol_named(const char *name);

/* ---- what a session offers to its protocol ---- */

const struct options *session_options(void);

/* Who it is to say it is; NULL: nobody. */
const char *session_authid(const struct session *session);
const char *session_ticket(const struct session *session);

/* What a subscriber subscribes to. Each of these is valid until the next call of any. */
const char *session_topic(const struct session *session);

/* Queue a message as one frame. */
void session_queue(struct session *session, const struct bytes *message);

/* All that its role needs is done. */
void session_become_ready(struct session *session);

/* Tell the scenario that the server wanted to know whether anybody is there, and has been answered. */
void session_tell_ping(struct session *session);

/* Tell the scenario. Each returns false if that can't be meant for it. */
bool session_tell_event(struct session *session, const uint8_t *text, size_t length);
bool session_tell_published(struct session *session);
bool session_tell_result(struct session *session, uint64_t request, const uint8_t *text, size_t length);

#endif
