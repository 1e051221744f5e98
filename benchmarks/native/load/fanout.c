/* fanout: one publisher and many subscribers; each event is checked for order, completeness and content. */
#include <stdio.h>
#include <stdlib.h>

#include "redis.h"
#include "scenario.h"
#include "session.h"
#include "text.h"

#define TOPIC_SHIFT 40 /* a text's number is the topic's number and, below it, the publication's */

struct publication {
    uint64_t due; /* when it was to be sent: what waited for its turn counts as late */
    unsigned awaited;
};

struct topic {
    uint64_t published, completed;
    unsigned subscribers;
    struct publication *open; /* by sequence number modulo the window */
};

static const struct options *options;
static struct topic *topics;
static struct session *subscribers, publisher;
static uint64_t published, completed, acknowledged, delivered, next_due;
static struct histogram latency;

static void take_event(struct session *session, const uint8_t *text, size_t length)
{
    unsigned number = session->number % options->topics;
    struct topic *topic = &topics[number];
    uint64_t id, sequence;
    if (session->role != SUBSCRIBER || !text_check(text, length, &id)) {
        fault("subscriber %u: an event's content is not what was published", session->number);
        return;
    }
    sequence = id & ((1ull << TOPIC_SHIFT) - 1);
    if (id >> TOPIC_SHIFT != number || sequence != session->expected || sequence >= topic->published) {
        fault("subscriber %u of topic %u: got event %llu of topic %llu, expected %llu", session->number, number,
              (unsigned long long)sequence, (unsigned long long)(id >> TOPIC_SHIFT),
              (unsigned long long)session->expected);
        return;
    }
    struct publication *publication = &topic->open[sequence % options->window];
    session->expected++;
    delivered++;
    histogram_add(&latency, now() - publication->due);
    if (!--publication->awaited) {
        topic->completed++;
        completed++;
    }
}

static void take_published(struct session *session)
{
    (void)session;
    acknowledged++;
}

static void publish_next(uint64_t due)
{
    unsigned number = (unsigned)(published % options->topics);
    struct topic *topic = &topics[number];
    topic->open[topic->published % options->window] =
        (struct publication){.due = due, .awaited = topic->subscribers};
    uint64_t id = (uint64_t)number << TOPIC_SHIFT | topic->published;
    topic->published++;
    published++;
    if (options->redis)
        redis_publish(numbered(options->topic, number), text_of(id), options->payload);
    else
        session_publish(&publisher, numbered(options->topic, number), text_of(id));
}

static uint64_t count_acknowledged(void)
{
    if (options->redis)
        acknowledged = redis_acknowledged();
    return acknowledged;
}

/* How many may be published now, by the window: acknowledgements count too, as a publisher that ignored them
 * would overrun the queue in which some servers keep them for it. */
static uint64_t room(void)
{
    uint64_t finished = count_acknowledged() < completed ? acknowledged : completed;
    uint64_t on_the_way = published - finished;
    if (options->burst)
        return on_the_way ? 0 : options->window;
    return options->window - on_the_way;
}

static int64_t produce(uint64_t time)
{
    uint64_t group = options->burst ? options->window : 1;
    uint64_t step = options->rate > 0 ? (uint64_t)((double)group * 1e9 / options->rate) : 0;
    if (!next_due)
        next_due = time;
    while (room() >= group && next_due <= time) {
        for (uint64_t i = 0; i < group; i++)
            publish_next(step ? next_due : time);
        next_due += step;
    }
    if (options->redis)
        redis_flush();
    else
        session_flush(&publisher);
    return step && next_due > time ? (int64_t)(next_due - time) : INT64_MAX;
}

/* Nothing is published unless produce() is called. */
static void stop(void)
{
}

static uint64_t count_delivered(void)
{
    return delivered;
}

static uint64_t count_open(void)
{
    return published - completed + (published - count_acknowledged());
}

static void prepare_topics(void)
{
    topics = calloc(options->topics, sizeof *topics);
    subscribers = calloc(options->subscribers, sizeof *subscribers);
    for (unsigned i = 0; topics && i < options->topics; i++) {
        topics[i].open = calloc(options->window, sizeof *topics[i].open);
        topics[i].subscribers = options->subscribers / options->topics + (i < options->subscribers % options->topics);
        if (!topics[i].open)
            topics = NULL;
    }
    if (!topics || !subscribers) {
        fprintf(stderr, "no memory for %u subscribers of %u topics\n", options->subscribers, options->topics);
        exit(1);
    }
}

/* Everyone must have got everything, each event once and in order: the last number says it all. */
static void check_all(void)
{
    for (unsigned i = 0; i < options->subscribers && !faults(); i++) {
        uint64_t wanted = topics[i % options->topics].published;
        if (subscribers[i].expected != wanted)
            fault("subscriber %u got %llu of %llu events", i, (unsigned long long)subscribers[i].expected,
                  (unsigned long long)wanted);
    }
}

void scenario_fanout(const struct options *given, struct report *report)
{
    static const struct listener listener = {.event = take_event, .published = take_published};
    static const struct work work = {produce, stop, count_delivered, count_open, &latency};
    options = given;
    session_setup(options, &listener);
    text_setup(options->payload);
    prepare_topics();
    if (!sessions_join(subscribers, options->subscribers, SUBSCRIBER))
        return;
    if (!(options->redis ? redis_connect(options->redis, options->protocol) : sessions_join(&publisher, 1, PUBLISHER)))
        return;
    measure(options, &work, report);
    check_all();
    report->sent = published;
    report->acknowledged = acknowledged;
    report->received = delivered;
}
