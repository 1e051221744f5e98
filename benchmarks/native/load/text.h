/* text: payloads that carry a number and prove that they arrived as they were sent. */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prepare texts of one length, at least 16 bytes. */
void text_setup(size_t length);

/* The text of a number: its 16 hexadecimal digits and letters that depend on it. Valid until the next call. */
const uint8_t *text_of(uint64_t number);

/* The number of a text. Returns false unless every byte is as text_of(number) has it. */
bool text_check(const uint8_t *text, size_t length, uint64_t *number);

#endif
