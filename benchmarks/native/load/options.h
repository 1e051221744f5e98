/* options: what the load generator was asked to do. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../wire/values.h"

#define MOST_PROCESSES 64

struct protocol;

/* Who a session says it is. Without an authid it joins anonymously. */
struct credentials {
    const char *authid, *ticket;
};

struct options {
    const char *scenario;
    const struct protocol *protocol;
    int port;
    const char *path, *realm, *topic, *procedure;
    struct credentials user, backend; /* subscribers are the user; publisher, callers and callees the backend */
    unsigned users; /* {} in the user's authid and ticket is a number below this, by the session's number */
    enum serializer serializers[16];  /* connection i speaks the i-th, in turn */
    unsigned serializer_count;
    pid_t processes[MOST_PROCESSES]; /* the server's */
    unsigned process_count;
    unsigned redis; /* the port of the Redis that is published to, instead of to the server; 0: none */
    unsigned subscribers, topics, window, callers, callees, in_flight, connections, first, concurrency, payload, pings;
    bool burst, spin;
    double rate, warm, seconds, patience;
};

extern const char options_usage[];

/* Read the command line and the environment. Returns false after saying on stderr what is wrong. */
bool options_read(struct options *options, int count, char **words);

#endif
