/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that have ended and left the book, in the order of their ends: their entries of
 * process_cache are still to be freed, once CacheKeepSec= is over. A key and a time each, where the
 * book would take three hundred bytes.
 */
#ifndef LINEAGED_LEAVING_H
#define LINEAGED_LEAVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/lineage_abi.h"

/* A power of two. */
#define LEAVING_MAX 16384

struct leaving_key {
	struct lineage_key key;
	uint64_t ended_boot_ns;
};

struct leaving {
	struct leaving_key *keys;
	size_t first, count;
};

/* 0 or -ENOMEM. */
int leaving_init(struct leaving *l);
void leaving_deinit(struct leaving *l);

bool leaving_is_full(const struct leaving *l);
void leaving_put(struct leaving *l, const struct lineage_key *key, uint64_t ended_boot_ns);
/* The oldest, if it ended before boot_ns or if more than `most` are there. */
bool leaving_take(struct leaving *l, uint64_t boot_ns, size_t most, struct lineage_key *ret_key);

#endif
