/* report: what a run found, and what was wrong in it. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdint.h>

#include "histogram.h"
#include "options.h"
#include "server.h"

struct report {
    uint64_t operations; /* finished while measuring */
    double seconds;      /* measured */
    double user, system; /* the server's CPU in that time, seconds */
    double generator;    /* the generator's own */
    double others;       /* everyone else's on this machine, the kernel included */
    double span;         /* in which that CPU was used: longer than what was measured if work came after it */
    double bytes_per_connection, idle_load; /* join and idle only */
    double grown;        /* bytes that the server's memory reached beyond what it was before any load */
    double pause;        /* the longest time in which the server answered no ping, seconds; storm only */
    uint64_t sent, acknowledged, received;  /* over the whole run, warm-up included */
    struct histogram latency;
};

/* Note that something is wrong: the run is worth nothing then. The first one's text is kept. */
__attribute__((format(printf, 1, 2))) void fault(const char *format, ...);
uint64_t faults(void);

/* Fill in the CPU used between two moments, so many seconds apart. */
void report_used(struct report *report, struct used before, struct used after, double span);

/* Print the report as one line of JSON. */
void report_print(const struct report *report, const struct options *options);

#endif
