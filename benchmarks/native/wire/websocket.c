/* websocket: frames of RFC 6455, put together and taken apart. */
#include "websocket.h"

#include <string.h>

static void mask(uint8_t *at, size_t length, uint32_t key)
{
    uint64_t twice = (uint64_t)key << 32 | key, word;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        memcpy(&word, at + i, 8);
        word ^= twice;
        memcpy(at + i, &word, 8);
    }
    for (; i < length; i++)
        at[i] ^= ((uint8_t *)&key)[i & 3];
}

/* Any key does, so long as it isn't always the same: xorshift. */
static uint32_t next_key(void)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

void frame_append(struct bytes *out, enum opcode opcode, const void *payload, size_t length, bool masked)
{
    uint8_t head[14] = {(uint8_t)(0x80 | opcode)};
    size_t size = 2, width = length < 126 ? 0 : length < 65536 ? 2 : 8;
    head[1] = (uint8_t)((masked ? 0x80 : 0) | (width == 0 ? length : width == 2 ? 126 : 127));
    while (width--)
        head[size++] = (uint8_t)(length >> (8 * width));
    uint32_t key = masked ? next_key() : 0;
    if (masked) {
        memcpy(head + size, &key, 4);
        size += 4;
    }
    bytes_append(out, head, size);
    bytes_append(out, payload, length);
    if (masked)
        mask(out->at + out->length - length, length, key);
}

enum parsed frame_take(uint8_t *from, size_t length, bool masked, size_t longest, struct frame *frame)
{
    if (length < 2)
        return FRAME_PARTIAL;
    if (!!(from[1] & 0x80) != masked)
        return FRAME_WRONG;
    uint64_t size = from[1] & 127;
    size_t head = 2, width = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (length < head + width + (masked ? 4 : 0))
        return FRAME_PARTIAL;
    if (width)
        for (size = 0; width; width--)
            size = size << 8 | from[head++];
    if (size > longest)
        return FRAME_WRONG;
    uint32_t key = 0;
    if (masked) {
        memcpy(&key, from + head, 4);
        head += 4;
    }
    if (length < head + size)
        return FRAME_PARTIAL;
    if (masked)
        mask(from + head, size, key);
    *frame = (struct frame){
        .opcode = from[0] & 15, .final = from[0] & 0x80, .payload = from + head, .length = size, .whole = head + size};
    return FRAME_COMPLETE;
}
