/* wamp: WAMP's messages, as a client of any role says and understands them. */
#include "protocol.h"

static struct bytes message;

/* ---- saying ---- */

static struct writer begin(const struct session *session, enum code code, uint64_t size)
{
    message.length = 0;
    struct writer writer = writer_to(&message, session->as);
    write_array(&writer, size);
    write_uint(&writer, code);
    return writer;
}

static void say_hello(struct session *session)
{
    static const char *const features[] = {"subscriber", "publisher", "caller", "callee"};
    const char *authid = session_authid(session);
    struct writer writer = begin(session, HELLO, 3);
    write_name(&writer, session_options()->realm);
    write_map(&writer, authid ? 3 : 2);
    write_name(&writer, "roles");
    write_map(&writer, 4);
    for (int i = 0; i < 4; i++) {
        write_name(&writer, features[i]);
        write_map(&writer, 0);
    }
    write_name(&writer, "authmethods");
    write_array(&writer, 1);
    write_name(&writer, authid ? "ticket" : "anonymous");
    if (authid) {
        write_name(&writer, "authid");
        write_name(&writer, authid);
    }
    session_queue(session, &message);
}

static void say_ticket(struct session *session)
{
    struct writer writer = begin(session, AUTHENTICATE, 3);
    write_name(&writer, session_ticket(session));
    write_map(&writer, 0);
    session_queue(session, &message);
}

/* SUBSCRIBE or REGISTER. */
static void say_what_for(struct session *session)
{
    bool subscribes = session->role == SUBSCRIBER;
    struct writer writer = begin(session, subscribes ? SUBSCRIBE : REGISTER, 4);
    write_uint(&writer, ++session->request);
    write_map(&writer, 0);
    write_name(&writer, subscribes ? session_topic(session) : numbered(session_options()->procedure, session->number));
    session_queue(session, &message);
}

static void publish(struct session *session, const char *topic, const uint8_t *text, size_t length)
{
    struct writer writer = begin(session, PUBLISH, 5);
    write_uint(&writer, ++session->request);
    write_map(&writer, 1);
    write_name(&writer, "acknowledge");
    write_true(&writer);
    write_name(&writer, topic);
    write_array(&writer, 1);
    write_text(&writer, text, length);
    session_queue(session, &message);
}

static uint64_t call(struct session *session, const char *procedure, const uint8_t *text, size_t length)
{
    struct writer writer = begin(session, CALL, 5);
    write_uint(&writer, ++session->request);
    write_map(&writer, 0);
    write_name(&writer, procedure);
    write_array(&writer, 1);
    write_text(&writer, text, length);
    session_queue(session, &message);
    return session->request;
}

static void yield(struct session *session, uint64_t request, const uint8_t *text, size_t length)
{
    struct writer writer = begin(session, YIELD, 4);
    write_uint(&writer, request);
    write_map(&writer, 0);
    write_array(&writer, 1);
    write_text(&writer, text, length);
    session_queue(session, &message);
}

/* wampgate's plain dialect: the channel is called as the topic. */
static void backend(struct bytes *channel, struct bytes *body, const char *topic, const uint8_t *text, size_t length)
{
    struct writer writer = writer_to(body, JSON);
    bytes_append(channel, topic, strlen(topic));
    write_array(&writer, 1);
    write_text(&writer, text, length);
}

/* ---- understanding ---- */

static void welcomed(struct session *session)
{
    if (session->role == SUBSCRIBER || session->role == CALLEE) {
        session->stage = ANNOUNCING;
        say_what_for(session);
    } else {
        session_become_ready(session);
    }
}

/* What follows the ids in EVENT, RESULT and INVOCATION: a dictionary and [text]. */
static bool read_payload(struct reader *reader, const uint8_t **text, size_t *length)
{
    return skip_value(reader) && read_array(reader) && read_text(reader, text, length);
}

/* Messages of an established session. */
static bool take_routed(struct session *session, uint64_t code, struct reader *reader)
{
    const uint8_t *text;
    size_t length;
    uint64_t id, other;
    if (!read_uint(reader, &id))
        return false;
    switch (code) {
    case EVENT:
        return read_uint(reader, &other) && read_payload(reader, &text, &length) &&
               session_tell_event(session, text, length);
    case RESULT:
        return read_payload(reader, &text, &length) && session_tell_result(session, id, text, length);
    case INVOCATION:
        if (!read_uint(reader, &other) || !read_payload(reader, &text, &length) || session->role != CALLEE)
            return false;
        yield(session, id, text, length);
        return true;
    case PUBLISHED:
        return session_tell_published(session);
    default:
        return false;
    }
}

static bool take(struct session *session, const uint8_t *from, size_t length)
{
    struct reader reader = reader_of(from, length, session->as);
    uint64_t code;
    if (!read_array(&reader) || !read_uint(&reader, &code))
        return false;
    if (session->stage == READY)
        return take_routed(session, code, &reader);
    if (session->stage == JOINING && code == CHALLENGE && session_ticket(session))
        say_ticket(session);
    else if (session->stage == JOINING && code == WELCOME)
        welcomed(session);
    else if (session->stage == ANNOUNCING && (code == SUBSCRIBED || code == REGISTERED))
        session_become_ready(session);
    else
        return false;
    return true;
}

const struct protocol wamp_protocol = {
    .name = "wamp", .subprotocol = "wamp.2.", .any_serializer = true, .opened = say_hello, .take = take,
    .publish = publish, .call = call, .backend = backend};
