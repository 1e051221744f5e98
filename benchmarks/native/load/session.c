/* session: a client over WebSocket, from connecting to its events and results. */
#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../wire/websocket.h"
#include "protocol.h"
#include "report.h"

static const struct options *options;
static const struct listener *listener;
static unsigned ready_count, opened; /* opened: serializers are dealt out by it */

static const char *const role_names[] = {"subscriber", "publisher", "caller", "callee"};
static const char *const stage_names[] = {"connecting", "upgrading", "joining", "announcing", "ready", "gone"};

void session_setup(const struct options *given, const struct listener *wanted)
{
    options = given;
    listener = wanted;
}

uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

const char *numbered(const char *name, unsigned number)
{
    static char text[512];
    const char *place = strstr(name, "{}");
    if (!place)
        return name;
    snprintf(text, sizeof text, "%.*s%u%s", (int)(place - name), name, number, place + 2);
    return text;
}

/* The session ends, for a reason that is a fault. `detail` may be anything that a server sent. */
static void fail(struct session *session, const char *reason, const uint8_t *detail, size_t length)
{
    char shown[201];
    size_t count = detail && length < sizeof shown ? length : detail ? sizeof shown - 1 : 0;
    for (size_t i = 0; i < count; i++)
        shown[i] = detail[i] ? (char)detail[i] : '?';
    shown[count] = 0;
    fault("%s %u, %s: %s%s%s", role_names[session->role], session->number, stage_names[session->stage], reason,
          count ? " " : "", shown);
    session->stage = GONE;
    connection_close(&session->connection);
}

/* ---- for its protocol ---- */

const struct options *session_options(void)
{
    return options;
}

static const struct credentials *credentials_of(const struct session *session)
{
    return session->role == SUBSCRIBER ? &options->user : &options->backend;
}

/* An authid or a ticket, of that one of the users whose turn it is. */
static const char *of_user(const struct session *session, const char *text)
{
    return text && session->role == SUBSCRIBER ? numbered(text, session->number % options->users) : text;
}

const char *session_authid(const struct session *session)
{
    return of_user(session, credentials_of(session)->authid);
}

const char *session_ticket(const struct session *session)
{
    return of_user(session, credentials_of(session)->ticket);
}

const char *session_topic(const struct session *session)
{
    return numbered(options->topic, session->number % options->topics);
}

void session_queue(struct session *session, const struct bytes *message)
{
    frame_append(&session->connection.out, session->as == JSON ? TEXT_FRAME : BINARY_FRAME, message->at,
                 message->length, true);
}

void session_become_ready(struct session *session)
{
    session->stage = READY;
    ready_count++;
    if (listener->ready)
        listener->ready(session);
}

void session_tell_ping(struct session *session)
{
    if (listener->pinged)
        listener->pinged(session);
}

bool session_tell_event(struct session *session, const uint8_t *text, size_t length)
{
    if (listener->event)
        listener->event(session, text, length);
    return listener->event;
}

bool session_tell_published(struct session *session)
{
    if (listener->published)
        listener->published(session);
    return listener->published;
}

bool session_tell_result(struct session *session, uint64_t request, const uint8_t *text, size_t length)
{
    if (listener->result)
        listener->result(session, request, text, length);
    return listener->result;
}

/* ---- sending ---- */

void session_publish(struct session *session, const char *topic, const uint8_t *text)
{
    options->protocol->publish(session, topic, text, options->payload);
}

uint64_t session_call(struct session *session, const char *procedure, const uint8_t *text)
{
    return options->protocol->call(session, procedure, text, options->payload);
}

void session_flush(struct session *session)
{
    if (session->connection.out.length && !session->connection.waits_to_send)
        connection_flush(&session->connection);
}

/* ---- receiving ---- */

static void take_message(struct session *session, const struct frame *frame)
{
    if (!options->protocol->take(session, frame->payload, frame->length))
        fail(session, "did not expect the message", frame->payload, frame->length);
}

static void take_frame(struct session *session, const struct frame *frame)
{
    enum opcode expected = session->as == JSON ? TEXT_FRAME : BINARY_FRAME;
    if (frame->opcode == PING_FRAME) {
        frame_append(&session->connection.out, PONG_FRAME, frame->payload, frame->length, true);
        session_tell_ping(session);
    } else if (frame->opcode == CLOSE_FRAME)
        fail(session, "closed by the server:", frame->payload + 2, frame->length > 2 ? frame->length - 2 : 0);
    else if (frame->opcode == expected && frame->final)
        take_message(session, frame);
    else if (frame->opcode != PONG_FRAME)
        fail(session, "a frame of another kind than was agreed", NULL, 0);
}

/* What the session asks for, and the answer must name; empty for a protocol that needs none. */
static const char *subprotocol_of(const struct session *session)
{
    static char name[64];
    const char *prefix = options->protocol->subprotocol;
    if (prefix)
        snprintf(name, sizeof name, "%s%s\r\n", prefix, serializer_names[session->as]);
    return name;
}

/* Returns how many bytes of the response's head were used: none until it is complete. */
static size_t take_upgrade(struct session *session, const uint8_t *from, size_t length)
{
    uint8_t *end = memmem(from, length, "\r\n\r\n", 4);
    if (!end) {
        if (length > 16384)
            fail(session, "the response's head does not end", NULL, 0);
        return 0;
    }
    size_t head = (size_t)(end - from) + 4;
    const char *subprotocol = subprotocol_of(session);
    if (head < 12 || memcmp(from + 8, " 101", 4) || !memmem(from, head, subprotocol, strlen(subprotocol))) {
        fail(session, "the upgrade was refused:", from, head);
        return head;
    }
    session->stage = JOINING;
    options->protocol->opened(session);
    return head;
}

static size_t take(struct connection *connection, uint8_t *from, size_t length)
{
    struct session *session = (struct session *)connection;
    struct frame frame;
    size_t used = session->stage == UPGRADING ? take_upgrade(session, from, length) : 0;
    while (session->stage > UPGRADING && session->stage < GONE) {
        enum parsed parsed = frame_take(from + used, length - used, false, LONGEST_MESSAGE, &frame);
        if (parsed == FRAME_PARTIAL)
            break;
        if (parsed == FRAME_WRONG) {
            fail(session, "a frame that is masked or too long", NULL, 0);
            break;
        }
        used += frame.whole;
        take_frame(session, &frame);
    }
    return used;
}

static void readable(struct connection *connection)
{
    struct session *session = (struct session *)connection;
    if (!connection_receive(connection, take)) {
        const char *reason = errno ? strerror(errno) : "closed by the server";
        fail(session, reason, NULL, 0);
    } else if (session->stage != GONE) {
        session_flush(session);
    }
}

static void send_upgrade(struct session *session)
{
    char request[2048];
    const char *subprotocol = subprotocol_of(session);
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                          "%s%s\r\n",
                          options->path, options->port, *subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol);
    session->stage = UPGRADING;
    connection_queue(&session->connection, request, (size_t)length);
    connection_flush(&session->connection);
}

static void writable(struct connection *connection)
{
    struct session *session = (struct session *)connection;
    int error = 0;
    socklen_t size = sizeof error;
    if (session->stage != CONNECTING) {
        connection_flush(connection);
        return;
    }
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
        fail(session, strerror(error), NULL, 0);
    else
        send_upgrade(session);
}

void sessions_poll(int64_t nanoseconds)
{
    static const struct events events = {.readable = readable, .writable = writable};
    connection_poll(&events, options->spin ? 0 : nanoseconds);
}

/* ---- joining ---- */

static void open_session(struct session *session, enum role role, unsigned number)
{
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)options->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *session = (struct session){.role = role, .number = number, .began = now()};
    session->as = options->serializers[opened++ % options->serializer_count];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    session->connection.fd = fd;
    if (fd < 0 || (connect(fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) ||
        !connection_watch(&session->connection, fd, true))
        fail(session, strerror(errno), NULL, 0);
}

bool sessions_join(struct session *sessions, unsigned count, enum role role)
{
    unsigned before = ready_count, started = 0, seen = before;
    uint64_t last_progress = now();
    while (ready_count - before < count && !faults()) {
        while (started < count && before + started - ready_count < options->concurrency) {
            open_session(&sessions[started], role, started);
            started++;
        }
        sessions_poll(50000000);
        if (ready_count != seen) {
            seen = ready_count;
            last_progress = now();
        } else if ((double)(now() - last_progress) > options->patience * 1e9) {
            fault("%u of %u could not join: no answer for %.0f s", count - (seen - before), count, options->patience);
        }
    }
    return !faults();
}
