/* redis: publishes to a Redis as a backend does, many PUBLISH commands at a time. */
#ifndef BENCH_REDIS_H
#define BENCH_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protocol;

/* Connect to a port of 127.0.0.1 and wait until someone there reads channels by a pattern. Returns false after a
 * fault. */
bool redis_connect(unsigned port, const struct protocol *protocol);

/* Queue PUBLISH of one text for a topic, in the words of the protocol's backends; redis_flush lets it go. */
void redis_publish(const char *topic, const uint8_t *text, size_t length);
void redis_flush(void);

/* How many answers to PUBLISH have come up to now, each from a Redis that had somebody to send it to. */
uint64_t redis_acknowledged(void);

#endif
