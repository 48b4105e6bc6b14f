/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of row ids, for finding the rows that nobody refers to: bits in blocks, of which only those
 * exist that hold something. Dense ids cost 1.3 bits each, a lonely one about 300 bytes.
 */
#ifndef LINEAGED_IDSET_H
#define LINEAGED_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Blocks in all: 20 MiB. What does not fit makes the set useless, and idset_failed() says so. */
#define IDSET_BLOCKS_MAX 65536
#define IDSET_RECENT	 64

struct idset_block;

struct idset {
	struct idset_block *blocks;
	struct idset_block *recent[IDSET_RECENT];
	size_t count; /* of blocks */
	bool failed;
};

void idset_init(struct idset *set);
void idset_deinit(struct idset *set);

/* Ids that are not positive are none, and left out. */
void idset_add(struct idset *set, int64_t id);
bool idset_has(struct idset *set, int64_t id);

/* True if some id could not be kept: then absence means nothing. */
bool idset_failed(const struct idset *set);

#endif
