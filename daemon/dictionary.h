/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What repeats (paths, images, contexts) by its row id: a bounded memory of what has been written.
 *
 * Fixed size, four places per bucket, the oldest of which gives way. To forget costs a second row
 * with the same content and nothing else. Contents are known by a 128-bit hash with a secret of
 * this run, so that nobody can make one program be recorded as another.
 */
#ifndef LINEAGED_DICTIONARY_H
#define LINEAGED_DICTIONARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DICTIONARY_WAYS 4

struct dictionary_hash {
	uint64_t low, high;
};

struct idset;

struct dictionary {
	struct dictionary_bucket *buckets;
	size_t mask;
	bool filled;
	struct idset *found; /* NULL, or where ids that are found are noted: see retain.h */
	uint64_t hits, misses;
};

/* Once per process, before any hash. */
int dictionary_seed(void);

struct dictionary_hash dictionary_hash(const void *bytes, size_t length);

/* entries: a power of two; 24 bytes each. */
int dictionary_init(struct dictionary *d, size_t entries);
void dictionary_deinit(struct dictionary *d);

/* Row id, or 0 if it is not remembered. */
int64_t dictionary_find(struct dictionary *d, struct dictionary_hash hash);
void dictionary_add(struct dictionary *d, struct dictionary_hash hash, int64_t id);
void dictionary_forget(struct dictionary *d);
/* Forgets those below this id that are not in the set. */
void dictionary_forget_others(struct dictionary *d, struct idset *kept, int64_t below);

#endif
