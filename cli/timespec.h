/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times and spans as people write them, and back.
 *
 * Reads what journalctl reads (systemd.time(7); `systemd-analyze timestamp` is the oracle in the
 * tests) and RFC 3339. Nanoseconds since 1970, UTC. The clock is an argument.
 */
#ifndef LINEAGED_CLI_TIMESPEC_H
#define LINEAGED_CLI_TIMESPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_SEC 1000000000LL

/* 0, -EINVAL: no such time, -ERANGE: outside 1970 to 2262. utc: a time without a zone is UTC. */
int timespec_parse(const char *text, int64_t now_unix_ns, bool utc, int64_t *ret_unix_ns);
/* "1h 30min", "2.5s", "90". */
int timespec_parse_span(const char *text, int64_t *ret_ns);

#define TIMESPEC_SIZE 96 /* what six ints can take; the texts are shorter */

/* 2026-11-21T03:12:01.123456789Z */
void timespec_rfc3339(int64_t unix_ns, char out[TIMESPEC_SIZE]);
/* 2026-11-21 03:12:01.123, in local time or UTC; `digits` of the second: 0, 3, 6 or 9. */
void timespec_format(int64_t unix_ns, bool utc, int digits, char out[TIMESPEC_SIZE]);
/* At most 6 columns: 840us, 12ms, 3.21s, 4m05s, 3h12m, 12d04h, 9999d. */
void timespec_format_span(int64_t ns, char out[TIMESPEC_SIZE]);

#endif
