/* options: what the load generator was asked to do. */
#define _GNU_SOURCE
#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol.h"

const char options_usage[] =
    "usage: load fanout|calls|join|storm|idle --port N [options]\n"
    "  fanout  one publisher, many subscribers; an operation is one event delivered\n"
    "  calls   callers and callees; an operation is one call with its result\n"
    "  join    connect, upgrade, HELLO, ticket, SUBSCRIBE; an operation is one such join; then idle\n"
    "  storm   the same, all at once, while a probe pings the server to see how long it serves nobody\n"
    "  idle    all have joined and nothing happens but the server's pings; an operation is one of them, answered\n"
    "where\n"
    "  --protocol P                   wamp, centrifuge, socketio: what it speaks (wamp)\n"
    "  --port N --path P --realm R    the server, on 127.0.0.1 (/ws, realm1)\n"
    "  --pid N[,N...]                 its processes, whose CPU and memory are measured\n"
    "  --serializer S[,S...]          json, msgpack, cbor; several are dealt out to the connections in turn (json)\n"
    "  --user A                       authid of subscribers; the ticket is in BENCH_TICKET (else anonymous)\n"
    "  --users N                      {} in both becomes a number below this, in turn (1)\n"
    "  --backend A                    authid of publisher, callers, callees; the ticket is in BENCH_BACKEND_TICKET\n"
    "  --payload B                    bytes of the one text that each message carries (200)\n"
    "time\n"
    "  --warm S --seconds S           before and while measuring; for join and idle, without a load (1, 4)\n"
    "  --patience S                   give up after so long without any progress (10)\n"
    "  --rate R                       publications per second; 0: as many as the window lets (0)\n"
    "  --spin                         never sleep: the server then doesn't pay for waking the generator\n"
    "fanout\n"
    "  --subscribers N --topics K     subscriber i takes topic i modulo K (1000, 1)\n"
    "  --topic T                      {} in it becomes the topic's number (organization.bench)\n"
    "  --window W                     publications that may be on their way to someone, or unacknowledged (1)\n"
    "  --burst                        wait until none is, then publish W in one write\n"
    "  --redis N                      publish to the Redis on this port, as the protocol's backends do\n"
    "calls\n"
    "  --callers N --callees N        caller i calls callee i modulo N (1, 1)\n"
    "  --in-flight N                  calls that a caller has open (1)\n"
    "  --procedure P                  {} in it becomes the callee's number (bench.echo.{})\n"
    "join, storm, idle\n"
    "  --connections N --first N      how many to measure, after how many others (1000, 50)\n"
    "  --pings N                      idle: each must be pinged so often (0)\n"
    "any\n"
    "  --concurrency N                joins that are under way at a time (64)\n"
    "One line of JSON on stdout. Status 0: all verified; 1: not; 2: usage.\n";

enum kind { COUNT, REAL, NAME, FLAG, PROTOCOL, SERIALIZER_LIST, PROCESS_LIST };

static const struct field {
    const char *name;
    enum kind kind;
    size_t offset;
} fields[] = {
    {"protocol", PROTOCOL, 0},
    {"port", COUNT, offsetof(struct options, port)},
    {"path", NAME, offsetof(struct options, path)},
    {"realm", NAME, offsetof(struct options, realm)},
    {"pid", PROCESS_LIST, 0},
    {"serializer", SERIALIZER_LIST, 0},
    {"user", NAME, offsetof(struct options, user.authid)},
    {"users", COUNT, offsetof(struct options, users)},
    {"backend", NAME, offsetof(struct options, backend.authid)},
    {"payload", COUNT, offsetof(struct options, payload)},
    {"warm", REAL, offsetof(struct options, warm)},
    {"seconds", REAL, offsetof(struct options, seconds)},
    {"patience", REAL, offsetof(struct options, patience)},
    {"rate", REAL, offsetof(struct options, rate)},
    {"spin", FLAG, offsetof(struct options, spin)},
    {"subscribers", COUNT, offsetof(struct options, subscribers)},
    {"redis", COUNT, offsetof(struct options, redis)},
    {"topics", COUNT, offsetof(struct options, topics)},
    {"topic", NAME, offsetof(struct options, topic)},
    {"window", COUNT, offsetof(struct options, window)},
    {"burst", FLAG, offsetof(struct options, burst)},
    {"callers", COUNT, offsetof(struct options, callers)},
    {"callees", COUNT, offsetof(struct options, callees)},
    {"in-flight", COUNT, offsetof(struct options, in_flight)},
    {"procedure", NAME, offsetof(struct options, procedure)},
    {"connections", COUNT, offsetof(struct options, connections)},
    {"first", COUNT, offsetof(struct options, first)},
    {"concurrency", COUNT, offsetof(struct options, concurrency)},
    {"pings", COUNT, offsetof(struct options, pings)},
};

#define FIELDS (sizeof fields / sizeof *fields)

static bool read_serializers(struct options *options, char *list)
{
    options->serializer_count = 0;
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        int as = 0;
        while (as < SERIALIZERS && strcmp(name, serializer_names[as]))
            as++;
        if (as == SERIALIZERS || options->serializer_count == sizeof options->serializers / sizeof(enum serializer))
            return false;
        options->serializers[options->serializer_count++] = as;
    }
    return options->serializer_count > 0;
}

static bool read_processes(struct options *options, char *list)
{
    for (char *number = strtok(list, ","); number; number = strtok(NULL, ",")) {
        if (options->process_count == MOST_PROCESSES || atoi(number) <= 0)
            return false;
        options->processes[options->process_count++] = atoi(number);
    }
    return options->process_count > 0;
}

static bool read_value(struct options *options, const struct field *field, char *value)
{
    void *at = (char *)options + field->offset;
    char *end;
    switch (field->kind) {
    case COUNT: *(unsigned *)at = (unsigned)strtoul(value, &end, 10); return end != value && !*end;
    case REAL: *(double *)at = strtod(value, &end); return end != value && !*end && *(double *)at >= 0;
    case NAME: *(const char **)at = value; return *value && !strpbrk(value, "\"\\");
    case FLAG: *(bool *)at = true; return true;
    case PROTOCOL: return (options->protocol = protocol_named(value)) != NULL;
    case SERIALIZER_LIST: return read_serializers(options, value);
    case PROCESS_LIST: return read_processes(options, value);
    }
    return false;
}

/* Whether the protocol has what the scenario needs. */
static bool is_spoken(const struct options *options)
{
    const struct protocol *protocol = options->protocol;
    for (unsigned i = 0; i < options->serializer_count; i++)
        if (options->serializers[i] != JSON && !protocol->any_serializer)
            return fprintf(stderr, "load: %s is spoken in json only\n", protocol->name), false;
    if (!protocol->call && !strcmp(options->scenario, "calls"))
        return fprintf(stderr, "load: %s has no calls from client to client\n", protocol->name), false;
    if (!protocol->backend && options->redis)
        return fprintf(stderr, "load: nothing that speaks %s is published to through Redis\n", protocol->name), false;
    return true;
}

/* What would divide by nothing or wait for nobody. */
static bool is_sensible(const struct options *options)
{
    const unsigned least_one[] = {options->topics,  options->window,    options->callers,    options->callees,
                                  options->in_flight, options->subscribers, options->connections, options->concurrency,
                                  options->users};
    for (size_t i = 0; i < sizeof least_one / sizeof *least_one; i++)
        if (!least_one[i])
            return fprintf(stderr, "load: every count but --first and --pings must be at least 1\n"), false;
    if (options->payload < 16 || options->payload > 900000)
        return fprintf(stderr, "load: --payload must be between 16 and 900000\n"), false;
    if (options->subscribers < options->topics)
        return fprintf(stderr, "load: --topics must not exceed --subscribers, or events would go to nobody\n"), false;
    if (options->callers < options->callees)
        return fprintf(stderr, "load: --callees must not exceed --callers, or some would never be called\n"), false;
    if (!options->port)
        return fprintf(stderr, "load: --port is missing\n"), false;
    return true;
}

static bool read_ticket(struct credentials *credentials, const char *variable)
{
    credentials->ticket = getenv(variable);
    if (!credentials->authid || (credentials->ticket && !strpbrk(credentials->ticket, "\"\\")))
        return true;
    fprintf(stderr, "load: %s must hold the ticket of %s (without quotes or backslashes)\n", variable,
            credentials->authid);
    return false;
}

bool options_read(struct options *options, int count, char **words)
{
    struct option known[FIELDS + 1] = {0};
    *options = (struct options){
        .protocol = &wamp_protocol,
        .path = "/ws", .realm = "realm1", .topic = "organization.bench", .procedure = "bench.echo.{}",
        .serializers = {JSON}, .serializer_count = 1, .subscribers = 1000, .topics = 1, .window = 1,
        .callers = 1, .callees = 1, .in_flight = 1, .connections = 1000, .first = 50, .concurrency = 64,
        .users = 1, .payload = 200, .warm = 1, .seconds = 4, .patience = 10};
    for (size_t i = 0; i < FIELDS; i++)
        known[i] = (struct option){fields[i].name, fields[i].kind == FLAG ? no_argument : required_argument, NULL, 0};
    for (int index, found; (found = getopt_long(count, words, "", known, &index)) != -1;) {
        if (found)
            return fputs(options_usage, stderr), false;
        if (!read_value(options, &fields[index], optarg))
            return fprintf(stderr, "load: --%s has a wrong value\n%s", fields[index].name, options_usage), false;
    }
    if (optind + 1 != count)
        return fputs(options_usage, stderr), false;
    options->scenario = words[optind];
    return is_sensible(options) && is_spoken(options) && read_ticket(&options->user, "BENCH_TICKET") &&
           read_ticket(&options->backend, "BENCH_BACKEND_TICKET");
}
