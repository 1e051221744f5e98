/* histogram: durations in steps of 1/64 of their size, from nanoseconds to hours. */
#include "histogram.h"

void histogram_add(struct histogram *histogram, uint64_t nanoseconds)
{
    /* Below 64 ns a step is one nanosecond; from there each power of two has 64 steps. */
    int power = nanoseconds < HISTOGRAM_STEPS ? 0 : 58 - __builtin_clzll(nanoseconds);
    uint64_t step = power ? nanoseconds >> (power - 1) & (HISTOGRAM_STEPS - 1) : nanoseconds;
    histogram->steps[power][step]++;
    histogram->count++;
    if (nanoseconds > histogram->longest)
        histogram->longest = nanoseconds;
}

double histogram_share(const struct histogram *histogram, double share)
{
    uint64_t below = 0;
    double wanted = share * (double)histogram->count;
    for (int power = 0; power < 59; power++)
        for (int step = 0; step < HISTOGRAM_STEPS; step++) {
            below += histogram->steps[power][step];
            if (below && (double)below >= wanted) {
                uint64_t value = power ? (uint64_t)(HISTOGRAM_STEPS + step) << (power - 1) : (uint64_t)step;
                return (double)value / 1000;
            }
        }
    return 0;
}
