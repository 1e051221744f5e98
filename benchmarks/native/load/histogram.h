/* histogram: durations in steps of 1/64 of their size, from nanoseconds to hours. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64

struct histogram {
    uint64_t count, longest;
    uint64_t steps[59][HISTOGRAM_STEPS]; /* by the power of two, and within it */
};

void histogram_add(struct histogram *histogram, uint64_t nanoseconds);

/* The duration in microseconds that a share (0 to 1) of all does not exceed; 0 if there are none. */
double histogram_share(const struct histogram *histogram, double share);

#endif
