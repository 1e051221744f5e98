/* socketio: Socket.IO 5 over Engine.IO 4, by WebSocket from the start, in the main namespace. */
#include "protocol.h"

/* A message begins with Engine.IO's type and, if that is MESSAGE, with Socket.IO's. */
enum engine { OPEN = '0', PING = '2', PONG = '3', MESSAGE = '4' };
enum packet { CONNECT = '0', EVENT_PACKET = '2', ACK = '3' };

static const char event_name[] = "news";
static struct bytes message;

/* ---- saying ---- */

static void begin(enum packet type)
{
    message.length = 0;
    bytes_put(&message, MESSAGE);
    bytes_put(&message, (uint8_t)type);
}

/* 40{"token":"...","room":"..."}: whom the server lets in, and where a subscriber wants to be */
static void connect_namespace(struct session *session)
{
    const char *token = session_ticket(session);
    bool subscribes = session->role == SUBSCRIBER;
    begin(CONNECT);
    struct writer writer = writer_to(&message, JSON);
    write_map(&writer, (token ? 1 : 0) + (subscribes ? 1 : 0));
    if (token) {
        write_name(&writer, "token");
        write_name(&writer, token);
    }
    if (subscribes) {
        write_name(&writer, "room");
        write_name(&writer, session_topic(session));
    }
    session_queue(session, &message);
}

/* 42<id>["publish","<topic>","<text>"]: the id asks for an acknowledgement. */
static void publish(struct session *session, const char *topic, const uint8_t *text, size_t length)
{
    begin(EVENT_PACKET);
    struct writer id = writer_to(&message, JSON);
    write_uint(&id, ++session->request);
    struct writer writer = writer_to(&message, JSON);
    write_array(&writer, 3);
    write_name(&writer, "publish");
    write_name(&writer, topic);
    write_text(&writer, text, length);
    session_queue(session, &message);
}

static void answer_ping(struct session *session)
{
    message.length = 0;
    bytes_put(&message, PONG);
    session_queue(session, &message);
    session_tell_ping(session);
}

static void write_packet(struct writer *writer, const uint8_t *text, size_t length)
{
    write_map(writer, 3);
    write_name(writer, "type");
    write_uint(writer, EVENT_PACKET - '0');
    write_name(writer, "data");
    write_array(writer, 2);
    write_name(writer, event_name);
    write_text(writer, text, length);
    write_name(writer, "nsp");
    write_name(writer, "/");
}

/* What the Redis emitters of PHP and Node publish for one room, in MessagePack. */
static void backend(struct bytes *channel, struct bytes *body, const char *topic, const uint8_t *text, size_t length)
{
    static const char prefix[] = "socket.io#/#";
    bytes_append(channel, prefix, sizeof prefix - 1);
    bytes_append(channel, topic, strlen(topic));
    bytes_put(channel, '#');
    struct writer writer = writer_to(body, MSGPACK);
    write_array(&writer, 3);
    write_name(&writer, "emitter");
    write_packet(&writer, text, length);
    write_map(&writer, 2);
    write_name(&writer, "rooms");
    write_array(&writer, 1);
    write_name(&writer, topic);
    write_name(&writer, "flags");
    write_map(&writer, 0);
}

/* ---- understanding ---- */

static bool take_event(struct session *session, const uint8_t *from, size_t length)
{
    struct reader reader = reader_of(from, length, JSON);
    const uint8_t *name, *text;
    size_t name_length, text_length;
    return read_array(&reader) && read_text(&reader, &name, &name_length) && name_length == sizeof event_name - 1 &&
           !memcmp(name, event_name, name_length) && read_text(&reader, &text, &text_length) &&
           session_tell_event(session, text, text_length);
}

static bool take_packet(struct session *session, const uint8_t *from, size_t length)
{
    if (session->stage == READY && *from == EVENT_PACKET)
        return take_event(session, from + 1, length - 1);
    if (session->stage == READY && *from == ACK)
        return session_tell_published(session);
    if (session->stage != ANNOUNCING || *from != CONNECT)
        return false;
    session_become_ready(session);
    return true;
}

static bool take(struct session *session, const uint8_t *from, size_t length)
{
    if (length > 1 && *from == MESSAGE)
        return take_packet(session, from + 1, length - 1);
    if (length == 1 && *from == PING) {
        answer_ping(session);
        return true;
    }
    if (!length || *from != OPEN || session->stage != JOINING)
        return false;
    session->stage = ANNOUNCING;
    connect_namespace(session);
    return true;
}

/* The server speaks first. */
static void opened(struct session *session)
{
    (void)session;
}

const struct protocol socketio_protocol = {
    .name = "socketio", .opened = opened, .take = take, .publish = publish, .backend = backend};
