/* limit: a WAMP router in C that does the least possible, to measure others against.
 *
 * usage: limit send|coal [PORT]
 *   send   one send per subscriber and event
 *   coal   what is sent within one round of epoll is joined into one send per connection
 * It listens on a loopback port (any, if none is given), prints the port on a line of its own and serves until
 * it is killed. WebSocket at any path and realm; JSON, MessagePack and CBOR.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../wire/websocket.h"
#include "router.h"

/* The answer to the sample key of RFC 6455, which the load generator sends. */
static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                             "Sec-WebSocket-Protocol: wamp.2.%s\r\n\r\n";

static void accept_peers(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct peer *peer = calloc(1, sizeof *peer);
        if (!peer || !connection_watch(&peer->connection, fd, false)) {
            perror("cannot take a connection");
            exit(1);
        }
    }
}

/* Returns how many bytes of the request's head were used: none until it is complete. */
static size_t upgrade(struct peer *peer, uint8_t *from, size_t length)
{
    char response[sizeof answer + 16];
    uint8_t *end = memmem(from, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - from) + 4;
    for (int as = 0; as < SERIALIZERS; as++)
        if (memmem(from, head, serializer_names[as], strlen(serializer_names[as])))
            peer->as = as;
    int size = snprintf(response, sizeof response, answer, serializer_names[peer->as]);
    connection_send(&peer->connection, response, (size_t)size);
    peer->upgraded = true;
    return head;
}

static void pong(struct peer *peer, const struct frame *frame)
{
    static struct bytes answer_to_ping;
    answer_to_ping.length = 0;
    frame_append(&answer_to_ping, PONG_FRAME, frame->payload, frame->length, false);
    connection_send(&peer->connection, answer_to_ping.at, answer_to_ping.length);
}

static size_t take(struct connection *connection, uint8_t *from, size_t length)
{
    struct peer *peer = (struct peer *)connection;
    struct frame frame;
    size_t used = peer->upgraded ? 0 : upgrade(peer, from, length);
    while (peer->upgraded && frame_take(from + used, length - used, true, LONGEST_MESSAGE, &frame) == FRAME_COMPLETE) {
        if (frame.opcode == TEXT_FRAME || frame.opcode == BINARY_FRAME)
            router_take(peer, frame.payload, frame.length);
        else if (frame.opcode == PING_FRAME)
            pong(peer, &frame);
        used += frame.whole;
    }
    return used;
}

static void read_peer(struct connection *connection)
{
    if (connection_receive(connection, take))
        return;
    router_leave((struct peer *)connection);
    connection_close(connection);
    free(connection);
}

int main(int count, char **words)
{
    static const struct events events = {.readable = read_peer, .writable = connection_flush, .acceptable = accept_peers};
    int listener, port = count > 2 ? atoi(words[2]) : 0;
    if (count < 2 || count > 3 || (strcmp(words[1], "send") && strcmp(words[1], "coal"))) {
        fprintf(stderr, "usage: limit send|coal [PORT]\n");
        return 2;
    }
    router_setup(!strcmp(words[1], "coal"));
    port = connection_setup() ? connection_listen(port, &listener) : -1;
    if (port < 0) {
        fprintf(stderr, "cannot listen on 127.0.0.1: %s\n", strerror(errno));
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    for (;;) {
        connection_poll(&events, -1);
        router_round_ends();
    }
}
