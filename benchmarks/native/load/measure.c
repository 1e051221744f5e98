/* measure: runs a piece of work for a while, and takes time and CPU in the middle of it, memory over all of it. */
#include "scenario.h"

#include <string.h>

#include "server.h"
#include "session.h"

#define LONGEST_WAIT 100000000 /* ns; clocks and patience are looked at so often at least */

struct progress {
    uint64_t finished, when;
};

static void check_progress(const struct options *options, const struct work *work, struct progress *last)
{
    uint64_t finished = work->finished(), time = now();
    if (finished != last->finished || !work->open())
        *last = (struct progress){finished, time};
    else if ((double)(time - last->when) > options->patience * 1e9)
        fault("nothing arrived for %.0f s, while %llu are missing", options->patience,
              (unsigned long long)work->open());
}

static void run_until(const struct options *options, const struct work *work, uint64_t end)
{
    struct progress last = {work->finished(), now()};
    for (uint64_t time; (time = now()) < end && !faults();) {
        int64_t wait = work->produce(time);
        if (wait > LONGEST_WAIT)
            wait = LONGEST_WAIT;
        if ((uint64_t)wait > end - time)
            wait = (int64_t)(end - time);
        sessions_poll(wait);
        check_progress(options, work, &last);
    }
}

static void let_arrive(const struct options *options, const struct work *work)
{
    struct progress last = {work->finished(), now()};
    while (work->open() && !faults()) {
        sessions_poll(LONGEST_WAIT);
        check_progress(options, work, &last);
    }
}

void measure(const struct options *options, const struct work *work, struct report *report)
{
    server_forget_peak(options);
    unsigned long memory = server_peak(options);
    run_until(options, work, now() + (uint64_t)(options->warm * 1e9));
    memset(work->latency, 0, sizeof *work->latency);
    uint64_t finished = work->finished(), begin = now();
    struct used before = used_so_far(options);

    run_until(options, work, begin + (uint64_t)(options->seconds * 1e9));

    report->seconds = (double)(now() - begin) / 1e9;
    report_used(report, before, used_so_far(options), report->seconds);
    report->operations = work->finished() - finished;
    report->latency = *work->latency;
    work->stop();
    let_arrive(options, work);
    report->grown = (double)server_peak(options) - (double)memory;
}
