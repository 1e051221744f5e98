/* bytes: a buffer that grows at its end and is emptied from its front. */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>

void bytes_reserve(struct bytes *bytes, size_t more)
{
    if (bytes->length + more <= bytes->capacity)
        return;
    size_t capacity = (bytes->length + more) * 2 + 64;
    uint8_t *at = realloc(bytes->at, capacity);
    if (!at) {
        fprintf(stderr, "no memory for a buffer of %zu bytes\n", capacity);
        exit(1);
    }
    bytes->at = at;
    bytes->capacity = capacity;
}

void bytes_drop(struct bytes *bytes, size_t length)
{
    bytes->length -= length;
    if (bytes->length)
        memmove(bytes->at, bytes->at + length, bytes->length);
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}
