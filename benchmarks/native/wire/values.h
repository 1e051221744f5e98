/* values: what WAMP messages consist of, written and read as JSON, MessagePack or CBOR. */
#ifndef BENCH_VALUES_H
#define BENCH_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum serializer { JSON, MSGPACK, CBOR, SERIALIZERS };

/* The serializer's name in a WebSocket subprotocol: "json" of "wamp.2.json". */
extern const char *const serializer_names[SERIALIZERS];

/* WAMP's message codes, as far as they are spoken here. */
enum code {
    HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, AUTHENTICATE = 5, GOODBYE = 6, ERROR = 8,
    PUBLISH = 16, PUBLISHED = 17, SUBSCRIBE = 32, SUBSCRIBED = 33, EVENT = 36,
    CALL = 48, RESULT = 50, REGISTER = 64, REGISTERED = 65, INVOCATION = 68, YIELD = 70,
};

/* ---- writing: announce each array and map with its size, then write that many values; they close themselves ---- */

#define DEEPEST 8

struct writer {
    struct bytes *out;
    enum serializer as;
    int depth;
    struct {
        uint64_t size, done; /* a map counts its keys and its values */
        bool map;
    } open[DEEPEST];
};

struct writer writer_to(struct bytes *out, enum serializer as);
void write_array(struct writer *writer, uint64_t size);
void write_map(struct writer *writer, uint64_t size);
void write_uint(struct writer *writer, uint64_t value);
void write_true(struct writer *writer);

/* Write a text. It must not need escaping in JSON: the texts of a benchmark are its own. */
void write_text(struct writer *writer, const void *text, size_t length);
void write_name(struct writer *writer, const char *name);

/* ---- reading: each function moves on by one value and returns false at anything else than what it looks for ---- */

struct reader {
    const uint8_t *at, *end;
    enum serializer as;
};

struct reader reader_of(const void *from, size_t length, enum serializer as);

/* Enter an array. Its size is not told (JSON doesn't know it): read what you know to be in it. */
bool read_array(struct reader *reader);
bool read_uint(struct reader *reader, uint64_t *value);

/* A text, where it stands. JSON's escapes are left as they are. */
bool read_text(struct reader *reader, const uint8_t **text, size_t *length);
bool skip_value(struct reader *reader);

/* Enter an object and move on to the value of one of its members. JSON only. */
bool read_member(struct reader *reader, const char *name);

#endif
