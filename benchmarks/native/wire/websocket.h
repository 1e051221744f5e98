/* websocket: frames of RFC 6455, put together and taken apart. */
#ifndef BENCH_WEBSOCKET_H
#define BENCH_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum opcode { CONTINUATION = 0, TEXT_FRAME = 1, BINARY_FRAME = 2, CLOSE_FRAME = 8, PING_FRAME = 9, PONG_FRAME = 10 };

struct frame {
    enum opcode opcode;
    bool final;
    uint8_t *payload;
    size_t length;
    size_t whole; /* with its head */
};

enum parsed { FRAME_COMPLETE, FRAME_PARTIAL, FRAME_WRONG };

/* Append a final frame. A client's (`masked`) gets a mask key that differs from frame to frame. */
void frame_append(struct bytes *out, enum opcode opcode, const void *payload, size_t length, bool masked);

/* Take the first frame of `from`. A masked one is unmasked where it stands, so take each only once.
 * FRAME_WRONG: longer than `longest`, or masked although `masked` says no, or the reverse. */
enum parsed frame_take(uint8_t *from, size_t length, bool masked, size_t longest, struct frame *frame);

#endif
