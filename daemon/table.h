/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uthash, with a hash and a failure of our choice: keys are numbers given by the kernel, mixed by
 * xxhash with a seed of this run, so that nobody can aim for one bucket; no memory means "not
 * added".
 */
#ifndef LINEAGED_TABLE_H
#define LINEAGED_TABLE_H

#include <stdint.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

extern uint64_t table_seed;

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, length, hash) \
	((hash) = (unsigned)XXH3_64bits_withSeed(key, length, table_seed))
#include <uthash.h>

#endif
