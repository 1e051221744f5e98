/* bytes: a buffer that grows at its end and is emptied from its front. */
#ifndef BENCH_BYTES_H
#define BENCH_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    uint8_t *at;
    size_t length, capacity;
};

/* Make room for `more` bytes after the end. Ends the program if there is no memory: a benchmark has no use
 * for half a result. */
void bytes_reserve(struct bytes *bytes, size_t more);

/* Every byte of every message goes through these two, hence inline. */
static inline void bytes_append(struct bytes *bytes, const void *from, size_t length)
{
    if (!length)
        return;
    if (bytes->length + length > bytes->capacity)
        bytes_reserve(bytes, length);
    memcpy(bytes->at + bytes->length, from, length);
    bytes->length += length;
}

static inline void bytes_put(struct bytes *bytes, uint8_t byte)
{
    if (bytes->length == bytes->capacity)
        bytes_reserve(bytes, 1);
    bytes->at[bytes->length++] = byte;
}

/* Remove `length` bytes from the front. */
void bytes_drop(struct bytes *bytes, size_t length);

void bytes_free(struct bytes *bytes);

#endif
