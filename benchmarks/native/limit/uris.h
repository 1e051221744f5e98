/* uris: the topics and procedures that the limit server knows, found by their hash. */
#ifndef BENCH_URIS_H
#define BENCH_URIS_H

#include <stddef.h>
#include <stdint.h>

#include "../wire/bytes.h"
#include "../wire/values.h"

struct peer;

struct uri {
    struct uri *next; /* in the same slot of the table */
    char *text;
    size_t length;
    struct peer **subscribers[SERIALIZERS];
    size_t count[SERIALIZERS], capacity[SERIALIZERS];
    struct bytes events[SERIALIZERS]; /* this round's frames, or the frame being sent */
    struct peer *callee;
};

/* The entry of a topic or procedure, made if there is none. */
struct uri *uri_of(const void *text, size_t length);

void uri_subscribe(struct uri *uri, struct peer *peer, enum serializer as);
void uri_unsubscribe(struct uri *uri, struct peer *peer, enum serializer as);

/* End `peer`'s registrations. */
void uris_unregister(struct peer *peer);

#endif
