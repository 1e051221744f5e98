/* scenario: what can be measured; each fills a report. */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include "options.h"
#include "report.h"

void scenario_fanout(const struct options *options, struct report *report);
void scenario_calls(const struct options *options, struct report *report);
void scenario_join(const struct options *options, struct report *report);
void scenario_storm(const struct options *options, struct report *report);
void scenario_idle(const struct options *options, struct report *report);

/* Let time pass, answering pings, and take the CPU that the server uses meanwhile; pass it only. */
void measure_idle(const struct options *options, struct report *report);
void idle(uint64_t nanoseconds);

/* What is measured by measure(): work that goes on for a while. */
struct work {
    /* Send what is due. Returns the nanoseconds after which to be asked again at the latest. */
    int64_t (*produce)(uint64_t time);
    void (*stop)(void);         /* begin nothing any more */
    uint64_t (*finished)(void); /* operations so far */
    uint64_t (*open)(void);     /* on their way */
    struct histogram *latency;  /* of those finished; emptied when measuring begins */
};

/* Warm up, measure, let what is on its way arrive, and fill in operations, time, CPU, memory and latency.
 * Stops at the first fault, or when nothing finishes for as long as the patience lasts. */
void measure(const struct options *options, const struct work *work, struct report *report);

#endif
