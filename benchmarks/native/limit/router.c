/* router: the least that a WAMP router has to do: one topic's events to its subscribers, a call to its callee.
 *
 * It checks no credentials and no right, counts nothing and knows no limit. A payload is one text: args = [text].
 */
#define _GNU_SOURCE
#include "router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../wire/websocket.h"
#include "uris.h"

#define INVOCATIONS (1u << 16) /* a power of two above any number of calls in flight */

static bool joined;

/* Lists of what waits for the end of the round. */
static struct uri **topics;
static struct peer **peers;
static size_t topic_count, topic_capacity, peer_count, peer_capacity;

static struct {
    struct peer *caller;
    uint64_t request;
} calls[INVOCATIONS];
static uint64_t invocation;

void router_setup(bool joins)
{
    joined = joins;
}

static void *one_more(void *list, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return list;
    *capacity = *capacity * 2 + 64;
    list = realloc(list, *capacity * sizeof(void *));
    if (!list) {
        fprintf(stderr, "no memory for a list of %zu\n", *capacity);
        exit(1);
    }
    return list;
}

static void send_frame(struct peer *peer, const struct bytes *frame)
{
    if (!joined) {
        connection_send(&peer->connection, frame->at, frame->length);
        return;
    }
    connection_queue(&peer->connection, frame->at, frame->length);
    if (peer->changed)
        return;
    peer->changed = true;
    peers = one_more(peers, peer_count, &peer_capacity);
    peers[peer_count++] = peer;
}

static void send_message(struct peer *peer, const struct bytes *message)
{
    static struct bytes frame;
    frame.length = 0;
    frame_append(&frame, peer->as == JSON ? TEXT_FRAME : BINARY_FRAME, message->at, message->length, false);
    send_frame(peer, &frame);
}

/* Begin a message in a buffer that the next message reuses. */
static struct bytes *begin(struct writer *writer, enum serializer as, enum code code, uint64_t size)
{
    static struct bytes message;
    message.length = 0;
    *writer = writer_to(&message, as);
    write_array(writer, size);
    write_uint(writer, code);
    return &message;
}

/* [code, number] or [code, number, 1]: the answers that acknowledge something. Every id that is given is 1. */
static void acknowledge(struct peer *peer, enum code code, uint64_t request)
{
    struct writer writer;
    struct bytes *message = begin(&writer, peer->as, code, 3);
    write_uint(&writer, request);
    write_uint(&writer, 1);
    send_message(peer, message);
}

static void welcome(struct peer *peer)
{
    struct writer writer;
    struct bytes *message = begin(&writer, peer->as, WELCOME, 3);
    write_uint(&writer, 1);
    write_map(&writer, 1);
    write_name(&writer, "roles");
    write_map(&writer, 2);
    write_name(&writer, "broker");
    write_map(&writer, 0);
    write_name(&writer, "dealer");
    write_map(&writer, 0);
    send_message(peer, message);
}

/* A ticket is asked for if it is offered, so that a join takes the same steps as at a real router. */
static void hello(struct peer *peer, const uint8_t *message, size_t length)
{
    struct writer writer;
    if (!memmem(message, length, "ticket", 6)) {
        welcome(peer);
        return;
    }
    struct bytes *challenge = begin(&writer, peer->as, CHALLENGE, 3);
    write_name(&writer, "ticket");
    write_map(&writer, 0);
    send_message(peer, challenge);
}

static void fan_out(struct uri *topic)
{
    for (int as = 0; as < SERIALIZERS; as++) {
        const struct bytes *frames = &topic->events[as];
        for (size_t i = 0; frames->length && i < topic->count[as]; i++)
            connection_send(&topic->subscribers[as][i]->connection, frames->at, frames->length);
        topic->events[as].length = 0;
    }
}

static void append_event(struct uri *topic, enum serializer as, const uint8_t *text, size_t length)
{
    struct writer writer;
    struct bytes *message = begin(&writer, as, EVENT, 5);
    write_uint(&writer, 1);
    write_uint(&writer, 1);
    write_map(&writer, 0);
    write_array(&writer, 1);
    write_text(&writer, text, length);
    frame_append(&topic->events[as], as == JSON ? TEXT_FRAME : BINARY_FRAME, message->at, message->length, false);
}

/* The two forms of [request, options, uri, [text]]: PUBLISH and CALL. */
static struct uri *request_of(struct reader *reader, uint64_t *request, const uint8_t **text, size_t *length)
{
    const uint8_t *uri;
    size_t uri_length;
    if (!read_uint(reader, request) || !skip_value(reader) || !read_text(reader, &uri, &uri_length) ||
        !read_array(reader) || !read_text(reader, text, length))
        return NULL;
    return uri_of(uri, uri_length);
}

static void publish(struct peer *peer, struct reader *reader)
{
    const uint8_t *text;
    size_t length;
    uint64_t request;
    struct uri *topic = request_of(reader, &request, &text, &length);
    if (!topic)
        return;
    bool first = true;
    for (int as = 0; as < SERIALIZERS; as++) {
        first = first && !topic->events[as].length;
        if (topic->count[as])
            append_event(topic, as, text, length);
    }
    if (!joined)
        fan_out(topic);
    else if (first) {
        topics = one_more(topics, topic_count, &topic_capacity);
        topics[topic_count++] = topic;
    }
    acknowledge(peer, PUBLISHED, request);
}

static void call(struct peer *peer, struct reader *reader)
{
    const uint8_t *text;
    size_t length;
    uint64_t request;
    struct uri *procedure = request_of(reader, &request, &text, &length);
    if (!procedure || !procedure->callee)
        return;
    peer->calls = true;
    calls[++invocation % INVOCATIONS].caller = peer;
    calls[invocation % INVOCATIONS].request = request;
    struct writer writer;
    struct bytes *message = begin(&writer, procedure->callee->as, INVOCATION, 5);
    write_uint(&writer, invocation);
    write_uint(&writer, 1);
    write_map(&writer, 0);
    write_array(&writer, 1);
    write_text(&writer, text, length);
    send_message(procedure->callee, message);
}

static void yield(struct reader *reader)
{
    const uint8_t *text;
    size_t length;
    uint64_t number;
    if (!read_uint(reader, &number) || !skip_value(reader) || !read_array(reader) ||
        !read_text(reader, &text, &length) || !calls[number % INVOCATIONS].caller)
        return;
    struct peer *caller = calls[number % INVOCATIONS].caller;
    struct writer writer;
    struct bytes *message = begin(&writer, caller->as, RESULT, 4);
    write_uint(&writer, calls[number % INVOCATIONS].request);
    write_map(&writer, 0);
    write_array(&writer, 1);
    write_text(&writer, text, length);
    send_message(caller, message);
}

/* SUBSCRIBE or REGISTER: [code, request, options, uri]. One subscription per peer is enough for a limit. */
static void announce(struct peer *peer, struct reader *reader, enum code code)
{
    const uint8_t *text;
    size_t length;
    uint64_t request;
    if (!read_uint(reader, &request) || !skip_value(reader) || !read_text(reader, &text, &length))
        return;
    struct uri *uri = uri_of(text, length);
    if (code == REGISTER) {
        uri->callee = peer;
        peer->registers = true;
    } else if (!peer->subscribed)
        uri_subscribe(peer->subscribed = uri, peer, peer->as);
    acknowledge(peer, code == REGISTER ? REGISTERED : SUBSCRIBED, request);
}

void router_take(struct peer *peer, const uint8_t *message, size_t length)
{
    struct reader reader = reader_of(message, length, peer->as);
    uint64_t code;
    if (!read_array(&reader) || !read_uint(&reader, &code))
        return;
    switch (code) {
    case HELLO: hello(peer, message, length); break;
    case AUTHENTICATE: welcome(peer); break;
    case SUBSCRIBE:
    case REGISTER: announce(peer, &reader, code); break;
    case PUBLISH: publish(peer, &reader); break;
    case CALL: call(peer, &reader); break;
    case YIELD: yield(&reader); break;
    default: break;
    }
}

void router_round_ends(void)
{
    for (size_t i = 0; i < topic_count; i++)
        fan_out(topics[i]);
    topic_count = 0;
    for (size_t i = 0; i < peer_count; i++) {
        peers[i]->changed = false;
        connection_flush(&peers[i]->connection);
    }
    peer_count = 0;
}

void router_leave(struct peer *peer)
{
    if (peer->subscribed)
        uri_unsubscribe(peer->subscribed, peer, peer->as);
    if (peer->registers)
        uris_unregister(peer);
    for (size_t i = 0; peer->calls && i < INVOCATIONS; i++)
        if (calls[i].caller == peer)
            calls[i].caller = NULL;
    for (size_t i = 0; i < peer_count; i++)
        if (peers[i] == peer)
            peers[i] = peers[--peer_count];
}
