/* connection: a non-blocking TCP socket under epoll, with what came in incomplete and what could not leave yet. */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bytes.h"

/* The longest message that either program takes. */
#define LONGEST_MESSAGE (1u << 20)

struct connection {
    int fd; /* -1: closed */
    bool waits_to_send;
    struct bytes in, out;
};

/* What `connection_poll` calls. */
struct events {
    void (*readable)(struct connection *connection);
    void (*writable)(struct connection *connection); /* asked for by connection_watch or a send that did not fit */
    void (*acceptable)(int listener);                /* NULL for a client */
};

/* Prepare epoll and raise the limit on open files as far as it goes. Returns false with errno set. */
bool connection_setup(void);

/* Listen on a loopback port (0: any) and watch it. Returns the port, or -1 with errno set. */
int connection_listen(int port, int *listener);

/* Watch a connection's socket for input, and once for output if `writable`. */
bool connection_watch(struct connection *connection, int fd, bool writable);

/* Wait at most `nanoseconds` (-1: for ever) and handle what has happened. */
void connection_poll(const struct events *events, int64_t nanoseconds);

/* Send at once what the socket takes; the rest waits. */
void connection_send(struct connection *connection, const void *from, size_t length);

/* Put bytes behind what waits; they leave with the next flush. */
void connection_queue(struct connection *connection, const void *from, size_t length);
void connection_flush(struct connection *connection);

/* Read once and give `take` all that is there, with what it left the last time in front; it returns how much
 * it has used, and may close the connection. Returns false at the end of input or an error (errno, or 0). */
bool connection_receive(struct connection *connection, size_t (*take)(struct connection *, uint8_t *, size_t));

void connection_close(struct connection *connection);

/* Stop watching an open connection and let go of its socket, which is returned. */
int connection_release(struct connection *connection);

#endif
