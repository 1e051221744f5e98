/* calls: callers with calls in flight, callees that return what they get; each result is checked against its call. */
#include <stdio.h>
#include <stdlib.h>

#include "scenario.h"
#include "session.h"
#include "text.h"

#define CALLER_SHIFT 40 /* a text's number is the caller's number and, below it, the call's */

struct call {
    uint64_t request, id, began; /* request 0: free */
};

static const struct options *options;
static struct session *callers, *callees;
static struct call *calls; /* in_flight of them for each caller */
static uint64_t sent, finished;
static bool running;
static struct histogram latency;

static struct call *find(const struct session *caller, uint64_t request)
{
    struct call *of_caller = &calls[(size_t)caller->number * options->in_flight];
    for (unsigned i = 0; i < options->in_flight; i++)
        if (of_caller[i].request == request)
            return &of_caller[i];
    return NULL;
}

static void begin_call(struct session *caller, struct call *call)
{
    call->id = (uint64_t)caller->number << CALLER_SHIFT | caller->expected++;
    call->began = now();
    call->request =
        session_call(caller, numbered(options->procedure, caller->number % options->callees), text_of(call->id));
    sent++;
}

static void take_result(struct session *session, uint64_t request, const uint8_t *text, size_t length)
{
    struct call *call = session->role == CALLER && request ? find(session, request) : NULL;
    uint64_t id;
    if (!call) {
        fault("caller %u: a result for call %llu, which is not open", session->number, (unsigned long long)request);
        return;
    }
    if (!text_check(text, length, &id) || id != call->id) {
        fault("caller %u: the result of call %llu is not what was sent", session->number, (unsigned long long)request);
        return;
    }
    histogram_add(&latency, now() - call->began);
    finished++;
    call->request = 0;
    if (running)
        begin_call(session, call);
}

/* Each result is followed by the caller's next call; only the first ones have to be made. */
static int64_t produce(uint64_t time)
{
    (void)time;
    if (running)
        return INT64_MAX;
    running = true;
    for (unsigned i = 0; i < options->callers; i++) {
        for (unsigned k = 0; k < options->in_flight; k++)
            begin_call(&callers[i], &calls[(size_t)i * options->in_flight + k]);
        session_flush(&callers[i]);
    }
    return INT64_MAX;
}

static void stop(void)
{
    running = false;
}

static uint64_t count_finished(void)
{
    return finished;
}

static uint64_t count_open(void)
{
    return sent - finished;
}

void scenario_calls(const struct options *given, struct report *report)
{
    static const struct listener listener = {.result = take_result};
    static const struct work work = {produce, stop, count_finished, count_open, &latency};
    options = given;
    callers = calloc(options->callers, sizeof *callers);
    callees = calloc(options->callees, sizeof *callees);
    calls = calloc((size_t)options->callers * options->in_flight, sizeof *calls);
    if (!callers || !callees || !calls) {
        fprintf(stderr, "no memory for %u callers\n", options->callers);
        exit(1);
    }
    session_setup(options, &listener);
    text_setup(options->payload);
    if (!sessions_join(callees, options->callees, CALLEE) || !sessions_join(callers, options->callers, CALLER))
        return;
    measure(options, &work, report);
    report->sent = sent;
    report->received = finished;
}
