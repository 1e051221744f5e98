/* text: payloads that carry a number and prove that they arrived as they were sent. */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 16
#define STARTS 8191 /* a prime: how many different places in the pool a text may continue at */

static uint8_t *pool, *current;
static size_t text_length;

void text_setup(size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t state = 2463534242u;
    text_length = length;
    pool = malloc(STARTS + length);
    current = malloc(length);
    if (!pool || !current) {
        fprintf(stderr, "no memory for texts of %zu bytes\n", length);
        exit(1);
    }
    for (size_t i = 0; i < STARTS + length; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        pool[i] = (uint8_t)letters[state >> 26];
    }
}

static const uint8_t *rest_of(uint64_t number)
{
    return pool + number * 2654435761u % STARTS;
}

const uint8_t *text_of(uint64_t number)
{
    for (int i = 0; i < DIGITS; i++)
        current[i] = (uint8_t)"0123456789abcdef"[number >> (60 - 4 * i) & 15];
    memcpy(current + DIGITS, rest_of(number), text_length - DIGITS);
    return current;
}

bool text_check(const uint8_t *text, size_t length, uint64_t *number)
{
    if (length != text_length)
        return false;
    *number = 0;
    for (int i = 0; i < DIGITS; i++) {
        uint8_t digit = text[i];
        if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f')))
            return false;
        *number = *number << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return !memcmp(text + DIGITS, rest_of(*number), length - DIGITS);
}
