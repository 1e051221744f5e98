/* join: what it costs a server that someone joins and subscribes, and to keep him while nothing happens. */
#include <stdio.h>
#include <stdlib.h>

#include "scenario.h"
#include "session.h"

#define SETTLE 500000000 /* ns; for what a server puts off until it has time */

static struct histogram latency;
static struct session *first, *measured;

static void take_ready(struct session *session)
{
    histogram_add(&latency, now() - session->began);
}

/* The first ones pay for what happens once: modules loaded, statements prepared, caches filled. */
static bool join_first(const struct options *options)
{
    if (!sessions_join(first, options->first, SUBSCRIBER))
        return false;
    idle(SETTLE);
    latency = (struct histogram){0};
    return !faults();
}

static bool prepare(const struct options *options)
{
    static const struct listener listener = {.ready = take_ready};
    first = calloc(options->first + 1, sizeof *first);
    measured = calloc(options->connections, sizeof *measured);
    if (!first || !measured) {
        fprintf(stderr, "no memory for %u connections\n", options->connections);
        exit(1);
    }
    session_setup(options, &listener);
    return join_first(options);
}

void scenario_join(const struct options *options, struct report *report)
{
    if (!prepare(options))
        return;
    unsigned long memory = server_memory(options);
    struct used before = used_so_far(options);
    uint64_t begin = now();
    if (!sessions_join(measured, options->connections, SUBSCRIBER))
        return;
    report->seconds = (double)(now() - begin) / 1e9;
    report->latency = latency;
    idle(SETTLE); /* what a join leaves to be done is part of its cost */
    report_used(report, before, used_so_far(options), (double)(now() - begin) / 1e9);
    report->operations = report->sent = report->received = options->connections;
    measure_idle(options, report);
    report->bytes_per_connection = ((double)server_memory(options) - (double)memory) / options->connections;
}
