/* centrifuge: Centrifugo's client protocol in JSON: commands with ids, their replies, and pushes. */
#include "protocol.h"

static struct bytes message;

/* ---- saying ---- */

/* {"id":n,"<command>":{ with so many members to follow */
static struct writer begin(struct session *session, const char *command, uint64_t members)
{
    message.length = 0;
    struct writer writer = writer_to(&message, JSON);
    write_map(&writer, 2);
    write_name(&writer, "id");
    write_uint(&writer, ++session->request);
    write_name(&writer, command);
    write_map(&writer, members);
    return writer;
}

static void connect_user(struct session *session)
{
    const char *token = session_ticket(session);
    struct writer writer = begin(session, "connect", token ? 1 : 0);
    if (token) {
        write_name(&writer, "token");
        write_name(&writer, token);
    }
    session_queue(session, &message);
}

static void subscribe(struct session *session)
{
    struct writer writer = begin(session, "subscribe", 1);
    write_name(&writer, "channel");
    write_name(&writer, session_topic(session));
    session_queue(session, &message);
}

static void publish(struct session *session, const char *topic, const uint8_t *text, size_t length)
{
    struct writer writer = begin(session, "publish", 2);
    write_name(&writer, "channel");
    write_name(&writer, topic);
    write_name(&writer, "data");
    write_array(&writer, 1);
    write_text(&writer, text, length);
    session_queue(session, &message);
}

static void answer_ping(struct session *session)
{
    message.length = 0;
    struct writer writer = writer_to(&message, JSON);
    write_map(&writer, 0);
    session_queue(session, &message);
    session_tell_ping(session);
}

/* ---- understanding ---- */

/* {"push":{"channel":"...","pub":{"data":["..."]}}} */
static bool take_push(struct session *session, struct reader reader)
{
    const uint8_t *text;
    size_t length;
    return read_member(&reader, "push") && read_member(&reader, "pub") && read_member(&reader, "data") &&
           read_array(&reader) && read_text(&reader, &text, &length) && session_tell_event(session, text, length);
}

/* A reply that is no error: it carries the command's name. */
static bool is_reply(struct reader reader, const char *command)
{
    return read_member(&reader, command);
}

static bool take_reply(struct session *session, struct reader reader)
{
    if (session->stage == READY)
        return is_reply(reader, "publish") && session_tell_published(session);
    if (session->stage == JOINING && is_reply(reader, "connect")) {
        if (session->role == SUBSCRIBER) {
            session->stage = ANNOUNCING;
            subscribe(session);
        } else {
            session_become_ready(session);
        }
        return true;
    }
    if (session->stage != ANNOUNCING || !is_reply(reader, "subscribe"))
        return false;
    session_become_ready(session);
    return true;
}

static bool take_one(struct session *session, const uint8_t *from, size_t length)
{
    if (length == 2 && !memcmp(from, "{}", 2)) {
        answer_ping(session);
        return true;
    }
    struct reader reader = reader_of(from, length, JSON);
    if (length > 7 && !memcmp(from, "{\"push\"", 7))
        return session->stage == READY && take_push(session, reader);
    return take_reply(session, reader);
}

/* A frame holds one or more, a line each. */
static bool take(struct session *session, const uint8_t *from, size_t length)
{
    const uint8_t *end = from + length;
    while (from < end) {
        const uint8_t *line_end = memchr(from, '\n', (size_t)(end - from));
        if (!line_end)
            line_end = end;
        if (!take_one(session, from, (size_t)(line_end - from)))
            return false;
        from = line_end + 1;
    }
    return length > 0;
}

const struct protocol centrifuge_protocol = {
    .name = "centrifuge", .opened = connect_user, .take = take, .publish = publish};
