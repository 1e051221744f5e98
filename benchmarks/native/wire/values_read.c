/* values_read: reads WAMP messages' values from JSON, MessagePack or CBOR, in place. */
#include <string.h>

#include "values.h"

/* What stands at the head of a MessagePack or CBOR value. */
enum kind { UINT, TEXT, ARRAY, MAP, BLOB, TAG };

struct head {
    enum kind kind;
    uint64_t number; /* the value, or the length in bytes, values or pairs */
};

struct reader reader_of(const void *from, size_t length, enum serializer as)
{
    return (struct reader){.at = from, .end = (const uint8_t *)from + length, .as = as};
}

static bool take_number(struct reader *reader, int width, uint64_t *number)
{
    if (reader->end - reader->at < width)
        return false;
    *number = 0;
    while (width--)
        *number = *number << 8 | *reader->at++;
    return true;
}

static bool cbor_head(struct reader *reader, struct head *head)
{
    static const enum kind kinds[] = {UINT, BLOB, BLOB, TEXT, ARRAY, MAP, TAG, BLOB};
    int major = *reader->at >> 5, info = *reader->at & 31;
    reader->at++;
    head->kind = kinds[major];
    head->number = (uint64_t)info;
    if (info >= 28 || (info >= 24 && !take_number(reader, 1 << (info - 24), &head->number)))
        return false; /* indefinite lengths are legal, but no router writes them */
    if (major == 1 || major == 7)
        head->number = 0; /* negative numbers, true, floats: nothing follows the head */
    return true;
}

static bool msgpack_fixed(uint8_t byte, struct head *head)
{
    if (byte < 0x80)
        *head = (struct head){UINT, byte};
    else if (byte < 0x90)
        *head = (struct head){MAP, byte & 15};
    else if (byte < 0xa0)
        *head = (struct head){ARRAY, byte & 15};
    else if (byte < 0xc0)
        *head = (struct head){TEXT, byte & 31};
    else if (byte >= 0xe0 || byte == 0xc0 || byte == 0xc2 || byte == 0xc3)
        *head = (struct head){BLOB, 0};
    else
        return false;
    return true;
}

static bool msgpack_head(struct reader *reader, struct head *head)
{
    uint8_t byte = *reader->at++;
    if (msgpack_fixed(byte, head))
        return true;
    if (byte >= 0xc4 && byte <= 0xc6)
        return head->kind = BLOB, take_number(reader, 1 << (byte - 0xc4), &head->number);
    if (byte >= 0xcc && byte <= 0xcf)
        return head->kind = UINT, take_number(reader, 1 << (byte - 0xcc), &head->number);
    if (byte >= 0xd9 && byte <= 0xdb)
        return head->kind = TEXT, take_number(reader, 1 << (byte - 0xd9), &head->number);
    if (byte >= 0xdc && byte <= 0xdf)
        return head->kind = byte < 0xde ? ARRAY : MAP, take_number(reader, byte % 2 ? 4 : 2, &head->number);
    head->kind = BLOB;
    if (byte == 0xca || byte == 0xcb)
        return head->number = byte == 0xca ? 4 : 8, true;
    if (byte >= 0xd0 && byte <= 0xd3)
        return head->number = 1u << (byte - 0xd0), true;
    return false; /* extension types have no place in WAMP */
}

static bool take_head(struct reader *reader, struct head *head)
{
    if (reader->at >= reader->end)
        return false;
    return reader->as == CBOR ? cbor_head(reader, head) : msgpack_head(reader, head);
}

/* Separators are passed over like blanks: whether a server's JSON is well-formed is for other tests to say. */
static uint8_t json_next(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at <= ' ' || *reader->at == ',' || *reader->at == ':'))
        reader->at++;
    return reader->at < reader->end ? *reader->at : 0;
}

static bool json_text(struct reader *reader, const uint8_t **text, size_t *length)
{
    if (json_next(reader) != '"')
        return false;
    const uint8_t *start = ++reader->at, *quote = start;
    for (;; quote++) {
        quote = memchr(quote, '"', (size_t)(reader->end - quote));
        if (!quote)
            return false;
        const uint8_t *slash = quote;
        while (slash > start && slash[-1] == '\\')
            slash--;
        if ((quote - slash) % 2 == 0)
            break;
    }
    *text = start;
    *length = (size_t)(quote - start);
    reader->at = quote + 1;
    return true;
}

static bool json_skip(struct reader *reader)
{
    int depth = 0;
    const uint8_t *text;
    size_t length;
    do {
        uint8_t next = json_next(reader);
        if (next == '"') {
            if (!json_text(reader, &text, &length))
                return false;
        } else if (next == '[' || next == '{') {
            depth++, reader->at++;
        } else if (next == ']' || next == '}') {
            depth--, reader->at++;
        } else if (next) {
            while (reader->at < reader->end && !strchr(",:]} \t\r\n", *reader->at))
                reader->at++;
        } else {
            return false;
        }
    } while (depth > 0);
    return depth == 0;
}

bool read_array(struct reader *reader)
{
    struct head head;
    if (reader->as == JSON)
        return json_next(reader) == '[' && reader->at++;
    return take_head(reader, &head) && head.kind == ARRAY;
}

bool read_uint(struct reader *reader, uint64_t *value)
{
    struct head head;
    if (reader->as != JSON) {
        if (!take_head(reader, &head) || head.kind != UINT)
            return false;
        *value = head.number;
        return true;
    }
    uint8_t next = json_next(reader);
    if (next < '0' || next > '9')
        return false;
    for (*value = 0; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++)
        *value = *value * 10 + (*reader->at - '0');
    return true;
}

bool read_text(struct reader *reader, const uint8_t **text, size_t *length)
{
    struct head head;
    if (reader->as == JSON)
        return json_text(reader, text, length);
    if (!take_head(reader, &head) || head.kind != TEXT || head.number > (uint64_t)(reader->end - reader->at))
        return false;
    *text = reader->at;
    *length = head.number;
    reader->at += head.number;
    return true;
}

bool skip_value(struct reader *reader)
{
    struct head head;
    if (reader->as == JSON)
        return json_skip(reader);
    for (uint64_t left = 1; left; left--) {
        if (!take_head(reader, &head))
            return false;
        if (head.kind == ARRAY || head.kind == MAP)
            left += head.kind == MAP ? 2 * head.number : head.number;
        else if (head.kind == TAG)
            left++;
        else if (head.kind != UINT) {
            if (head.number > (uint64_t)(reader->end - reader->at))
                return false;
            reader->at += head.number;
        }
    }
    return true;
}

bool read_member(struct reader *reader, const char *name)
{
    const uint8_t *key;
    size_t length, wanted = strlen(name);
    if (reader->as != JSON || json_next(reader) != '{')
        return false;
    reader->at++;
    while (json_text(reader, &key, &length)) {
        if (length == wanted && !memcmp(key, name, wanted))
            return true;
        if (!json_skip(reader))
            return false;
    }
    return false;
}
