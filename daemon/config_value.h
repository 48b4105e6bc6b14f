/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a configuration value, to numbers and back: sizes, time spans, yes and no.
 * Part of config.c; pure. Parsers return 0, -EINVAL, or -ERANGE where 64 bits are not enough.
 */
#ifndef LINEAGED_CONFIG_VALUE_H
#define LINEAGED_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any number that the printing functions write. */
#define CONFIG_VALUE_SIZE 32

/* "4096", "32M": K, M, G and T to the base 1024. */
int config_parse_size(const char *text, uint64_t *ret_bytes);
/* "10000" */
int config_parse_count(const char *text, uint64_t *ret_count);
/* Time spans of systemd.time(7): "90", "200ms", "1h 30min", "7day", "1.5s". A bare number: seconds.
 */
int config_parse_time(const char *text, uint64_t *ret_ns);
/* yes, true, on, 1; no, false, off, 0 */
int config_parse_bool(const char *text, bool *ret_bool);

/* In the largest unit that is exact: the canonical form, which the parsers read back. */
void config_print_size(char out[CONFIG_VALUE_SIZE], uint64_t bytes);
void config_print_time(char out[CONFIG_VALUE_SIZE], uint64_t ns);

#endif
