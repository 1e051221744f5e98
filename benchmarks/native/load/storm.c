/* storm: all clients connect at once, as after a restart: how long until the last has joined, and who waits? */
#include <stdio.h>
#include <stdlib.h>

#include "probe.h"
#include "scenario.h"
#include "session.h"

#define SETTLE 500000000 /* ns; for what a server puts off until it has time */

static struct histogram latency;

static void take_ready(struct session *session)
{
    histogram_add(&latency, now() - session->began);
}

static struct session *sessions_for(unsigned count)
{
    struct session *sessions = calloc(count + 1, sizeof *sessions);
    if (!sessions) {
        fprintf(stderr, "no memory for %u connections\n", count);
        exit(1);
    }
    return sessions;
}

static void measure_storm(const struct options *options, struct session *crowd, struct report *report)
{
    struct used before = used_so_far(options);
    uint64_t begin = now();
    bool joined = sessions_join(crowd, options->connections, SUBSCRIBER);
    report->seconds = (double)(now() - begin) / 1e9;
    report->latency = latency;
    if (joined)
        idle(SETTLE); /* what a join leaves to be done is part of its cost, and may make others wait */
    report_used(report, before, used_so_far(options), (double)(now() - begin) / 1e9);
    report->operations = report->sent = report->received = options->connections;
}

void scenario_storm(const struct options *given, struct report *report)
{
    static const struct listener listener = {.ready = take_ready};
    static struct options options;
    static struct session probe;
    struct session *first = sessions_for(given->first), *crowd = sessions_for(given->connections);
    options = *given;
    session_setup(&options, &listener);
    if (!sessions_join(first, options.first, SUBSCRIBER) || !sessions_join(&probe, 1, SUBSCRIBER))
        return;
    idle(SETTLE);
    latency = (struct histogram){0};
    options.concurrency = options.connections;
    if (!probe_start(&probe))
        return;
    measure_storm(&options, crowd, report);
    probe_stop(report);
}
