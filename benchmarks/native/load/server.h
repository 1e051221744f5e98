/* server: what the server's processes and the whole machine have used so far, from /proc. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "options.h"

/* Seconds of CPU. */
struct used {
    double user, system;  /* all threads of all processes of the server */
    double generator;     /* this program */
    double machine;       /* everything that runs here */
};

/* A process of the server that is gone is a fault. */
struct used used_so_far(const struct options *options);

/* Bytes that the server's processes have resident. Takes some milliseconds. */
unsigned long server_memory(const struct options *options);

/* The same at the most since server_forget_peak; an upper bound where there are several processes. Quick. */
unsigned long server_peak(const struct options *options);
void server_forget_peak(const struct options *options);

#endif
