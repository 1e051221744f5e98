/* values_write: writes WAMP messages' values as JSON, MessagePack or CBOR. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

const char *const serializer_names[SERIALIZERS] = {"json", "msgpack", "cbor"};

static void put(struct writer *writer, uint8_t byte)
{
    bytes_put(writer->out, byte);
}

/* A head byte followed by the `width` lowest bytes of a number, the highest first. */
static void put_number(struct writer *writer, uint8_t head, uint64_t number, int width)
{
    put(writer, head);
    while (width--)
        put(writer, (uint8_t)(number >> (8 * width)));
}

/* How many bytes (as a power of two: 0 to 3) a number needs. */
static int width_of(uint64_t number)
{
    return number < 0x100 ? 0 : number < 0x10000 ? 1 : number < 0x100000000 ? 2 : 3;
}

/* By hand, since printf would take longer than all else in a message. */
static void put_digits(struct writer *writer, uint64_t number)
{
    char digits[20], *first = digits + sizeof digits;
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    bytes_append(writer->out, first, (size_t)(digits + sizeof digits - first));
}

static void cbor_head(struct writer *writer, int major, uint64_t number)
{
    int width = width_of(number);
    if (number < 24)
        put(writer, (uint8_t)(major << 5 | number));
    else
        put_number(writer, (uint8_t)(major << 5 | (24 + width)), number, 1 << width);
}

static void begin_value(struct writer *writer)
{
    if (writer->as != JSON || !writer->depth)
        return;
    uint64_t done = writer->open[writer->depth - 1].done;
    if (done)
        put(writer, writer->open[writer->depth - 1].map && done % 2 ? ':' : ',');
}

/* A value is complete, and with it each container of which it was the last. */
static void end_value(struct writer *writer)
{
    while (writer->depth) {
        if (++writer->open[writer->depth - 1].done < writer->open[writer->depth - 1].size)
            return;
        writer->depth--;
        if (writer->as == JSON)
            put(writer, writer->open[writer->depth].map ? '}' : ']');
    }
}

static void open_container(struct writer *writer, uint64_t size, bool map)
{
    if (writer->depth == DEEPEST) {
        fprintf(stderr, "a message nests deeper than %d\n", DEEPEST);
        exit(1);
    }
    writer->open[writer->depth].size = map ? 2 * size : size;
    writer->open[writer->depth].done = 0;
    writer->open[writer->depth].map = map;
    writer->depth++;
    if (size)
        return;
    writer->depth--;
    if (writer->as == JSON)
        put(writer, map ? '}' : ']');
    end_value(writer);
}

struct writer writer_to(struct bytes *out, enum serializer as)
{
    return (struct writer){.out = out, .as = as};
}

void write_array(struct writer *writer, uint64_t size)
{
    begin_value(writer);
    if (writer->as == JSON)
        put(writer, '[');
    else if (writer->as == MSGPACK)
        put(writer, (uint8_t)(0x90 | size)); /* at most 15: enough for any WAMP message */
    else
        cbor_head(writer, 4, size);
    open_container(writer, size, false);
}

void write_map(struct writer *writer, uint64_t size)
{
    begin_value(writer);
    if (writer->as == JSON)
        put(writer, '{');
    else if (writer->as == MSGPACK)
        put(writer, (uint8_t)(0x80 | size));
    else
        cbor_head(writer, 5, size);
    open_container(writer, size, true);
}

void write_uint(struct writer *writer, uint64_t value)
{
    begin_value(writer);
    if (writer->as == JSON) {
        put_digits(writer, value);
    } else if (writer->as == CBOR) {
        cbor_head(writer, 0, value);
    } else if (value < 128) {
        put(writer, (uint8_t)value);
    } else {
        put_number(writer, (uint8_t)(0xcc + width_of(value)), value, 1 << width_of(value));
    }
    end_value(writer);
}

void write_true(struct writer *writer)
{
    begin_value(writer);
    if (writer->as == JSON)
        bytes_append(writer->out, "true", 4);
    else
        put(writer, writer->as == MSGPACK ? 0xc3 : 0xf5);
    end_value(writer);
}

void write_text(struct writer *writer, const void *text, size_t length)
{
    begin_value(writer);
    if (writer->as == JSON)
        put(writer, '"');
    else if (writer->as == CBOR)
        cbor_head(writer, 3, length);
    else if (length < 32)
        put(writer, (uint8_t)(0xa0 | length));
    else
        put_number(writer, (uint8_t)(0xd9 + width_of(length)), length, 1 << width_of(length));
    bytes_append(writer->out, text, length);
    if (writer->as == JSON)
        put(writer, '"');
    end_value(writer);
}

void write_name(struct writer *writer, const char *name)
{
    write_text(writer, name, strlen(name));
}
