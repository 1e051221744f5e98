/* idle: all have joined and nothing happens: what the server spends on keeping them, its pings above all. */
#include <stdio.h>
#include <stdlib.h>

#include "scenario.h"
#include "session.h"

#define SETTLE 500000000 /* ns; what joining left to be done is not idleness */

static uint64_t pinged;

static void take_ping(struct session *session)
{
    pinged++;
    session->expected++;
}

void idle(uint64_t nanoseconds)
{
    uint64_t end = now() + nanoseconds;
    for (uint64_t time; (time = now()) < end && !faults();)
        sessions_poll((int64_t)(end - time));
}

void measure_idle(const struct options *options, struct report *report)
{
    struct used before = used_so_far(options);
    uint64_t begin = now();
    idle((uint64_t)(options->seconds * 1e9));
    struct used after = used_so_far(options);
    double cpu = after.user + after.system - before.user - before.system;
    if (options->seconds > 0)
        report->idle_load = cpu / ((double)(now() - begin) / 1e9);
}

/* A server that lets its connections be costs nothing, and notices no one who is gone. */
static void check_pings(const struct options *options, const struct session *sessions)
{
    for (unsigned i = 0; i < options->connections && !faults(); i++)
        if (sessions[i].expected < options->pings)
            fault("subscriber %u was pinged %llu times instead of %u", i, (unsigned long long)sessions[i].expected,
                  options->pings);
}

void scenario_idle(const struct options *options, struct report *report)
{
    static const struct listener listener = {.pinged = take_ping};
    struct session *sessions = calloc(options->connections, sizeof *sessions);
    if (!sessions) {
        fprintf(stderr, "no memory for %u connections\n", options->connections);
        exit(1);
    }
    session_setup(options, &listener);
    if (!sessions_join(sessions, options->connections, SUBSCRIBER))
        return;
    idle(SETTLE);
    for (unsigned i = 0; i < options->connections; i++)
        sessions[i].expected = 0;
    pinged = 0;
    struct used before = used_so_far(options);
    uint64_t begin = now();
    idle((uint64_t)(options->seconds * 1e9));
    report->seconds = (double)(now() - begin) / 1e9;
    report_used(report, before, used_so_far(options), report->seconds);
    report->idle_load = report->seconds > 0 ? (report->user + report->system) / report->seconds : 0;
    report->operations = report->sent = report->received = pinged;
    check_pings(options, sessions);
}
