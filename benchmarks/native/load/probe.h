/* probe: a process of its own that pings the server all the time, to see for how long nobody is served. */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include "report.h"
#include "session.h"

/* Take over the connection of a session that has joined and ping on it until probe_stop. False after a fault. */
bool probe_start(struct session *session);

/* Fill in the longest time that an answer took. A probe that had none at all is a fault. */
void probe_stop(struct report *report);

#endif
