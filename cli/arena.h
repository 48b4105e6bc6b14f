/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for one answer: chunks that are freed all at once, and a map from row ids to what was
 * read. Not a general allocator: nothing is freed singly.
 */
#ifndef LINEAGED_CLI_ARENA_H
#define LINEAGED_CLI_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	size_t bytes; /* handed out since the last reset */
};

/* Zeroed memory, aligned to 16 bytes; NULL when there is none left. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy with a NUL behind it. */
void *arena_copy(struct arena *arena, const void *data, size_t size);
void arena_deinit(struct arena *arena);

/* int64 -> pointer, open addressing. Zero-initialised is empty. */
struct idmap_slot {
	int64_t id;
	void *value;
};

struct idmap {
	struct idmap_slot *slots;
	size_t size; /* a power of two, or 0 */
	size_t used;
};

void *idmap_get(const struct idmap *map, int64_t id);
/* 0 or -ENOMEM; value is not NULL. */
int idmap_put(struct idmap *map, int64_t id, void *value);
void idmap_clear(struct idmap *map);
void idmap_deinit(struct idmap *map);

#endif
