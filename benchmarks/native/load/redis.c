/* redis: publishes to a Redis as a backend does, many PUBLISH commands at a time. */
#define _GNU_SOURCE
#include "redis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../wire/bytes.h"
#include "protocol.h"
#include "report.h"

#define TRIES 500 /* 10 ms apart */

static int fd = -1;
static const struct protocol *protocol;
static struct bytes out, channel, body;
static uint64_t acknowledged;
static char line[16]; /* of the answers, the one that is being read */
static size_t line_length;

static bool send_all(const void *from, size_t length)
{
    while (length) {
        ssize_t sent = send(fd, from, length, MSG_NOSIGNAL);
        if (sent < 0)
            return fault("Redis: %s", strerror(errno)), false;
        from = (const uint8_t *)from + sent;
        length -= (size_t)sent;
    }
    return true;
}

/* Whether any pattern is subscribed to. */
static bool is_read(void)
{
    static const char command[] = "PUBSUB NUMPAT\r\n";
    char answer[32];
    if (!send_all(command, sizeof command - 1))
        return false;
    ssize_t length = recv(fd, answer, sizeof answer, 0);
    return length > 2 && answer[0] == ':' && answer[1] != '0';
}

bool redis_connect(unsigned port, const struct protocol *spoken)
{
    protocol = spoken;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        return fault("Redis: %s", strerror(errno)), false;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    for (int i = 0; i < TRIES && !faults(); i++) {
        if (is_read())
            return true;
        usleep(10000);
    }
    return fault("Redis: nobody reads channels there"), false;
}

static void append_argument(const struct bytes *argument)
{
    char head[32];
    int size = snprintf(head, sizeof head, "$%zu\r\n", argument->length);
    bytes_append(&out, head, (size_t)size);
    bytes_append(&out, argument->at, argument->length);
    bytes_append(&out, "\r\n", 2);
}

void redis_publish(const char *topic, const uint8_t *text, size_t length)
{
    static const char head[] = "*3\r\n$7\r\nPUBLISH\r\n";
    channel.length = body.length = 0;
    protocol->backend(&channel, &body, topic, text, length);
    bytes_append(&out, head, sizeof head - 1);
    append_argument(&channel);
    append_argument(&body);
}

void redis_flush(void)
{
    if (out.length && send_all(out.at, out.length))
        out.length = 0;
}

/* Answers are lines: how many the message went to. */
static void take(const char *from, ssize_t length)
{
    for (ssize_t i = 0; i < length; i++) {
        if (line_length < sizeof line - 1)
            line[line_length++] = from[i];
        if (from[i] != '\n')
            continue;
        if (line[0] != ':' || line[1] == '0')
            fault("Redis: a message went to nobody");
        acknowledged++;
        line_length = 0;
    }
}

uint64_t redis_acknowledged(void)
{
    char answers[4096];
    for (ssize_t length; (length = recv(fd, answers, sizeof answers, MSG_DONTWAIT)) > 0;)
        take(answers, length);
    return acknowledged;
}
