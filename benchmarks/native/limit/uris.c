/* uris: the topics and procedures that the limit server knows, found by their hash. */
#include "uris.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16384

static struct uri *slots[SLOTS];

static void *memory(void *old, size_t size)
{
    void *new = realloc(old, size);
    if (!new) {
        fprintf(stderr, "no memory for %zu bytes\n", size);
        exit(1);
    }
    return new;
}

/* FNV-1a. */
static size_t slot_of(const uint8_t *text, size_t length)
{
    uint32_t hash = 2166136261u;
    while (length--)
        hash = (hash ^ *text++) * 16777619u;
    return hash % SLOTS;
}

struct uri *uri_of(const void *text, size_t length)
{
    struct uri **slot = &slots[slot_of(text, length)];
    for (struct uri *uri = *slot; uri; uri = uri->next)
        if (uri->length == length && !memcmp(uri->text, text, length))
            return uri;
    struct uri *uri = memory(NULL, sizeof *uri);
    *uri = (struct uri){.next = *slot, .text = memory(NULL, length + 1), .length = length};
    memcpy(uri->text, text, length);
    return *slot = uri;
}

void uri_subscribe(struct uri *uri, struct peer *peer, enum serializer as)
{
    if (uri->count[as] == uri->capacity[as]) {
        uri->capacity[as] = uri->capacity[as] * 2 + 16;
        uri->subscribers[as] = memory(uri->subscribers[as], uri->capacity[as] * sizeof peer);
    }
    uri->subscribers[as][uri->count[as]++] = peer;
}

void uri_unsubscribe(struct uri *uri, struct peer *peer, enum serializer as)
{
    for (size_t i = 0; i < uri->count[as]; i++)
        if (uri->subscribers[as][i] == peer) {
            uri->subscribers[as][i] = uri->subscribers[as][--uri->count[as]];
            return;
        }
}

void uris_unregister(struct peer *peer)
{
    for (size_t slot = 0; slot < SLOTS; slot++)
        for (struct uri *uri = slots[slot]; uri; uri = uri->next)
            if (uri->callee == peer)
                uri->callee = NULL;
}
