/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Large enough that 10 000 processes need a few dozen calls of malloc, small enough for one
 * process. */
#define CHUNK_BYTES (256 * 1024)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	char data[] __attribute__((aligned(16)));
};

static struct arena_chunk *chunk_new(size_t size)
{
	struct arena_chunk *chunk;

	if (size < CHUNK_BYTES)
		size = CHUNK_BYTES;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->used = 0;
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunks;
	void *result;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	if (!chunk || chunk->size - chunk->used < size) {
		struct arena_chunk *fresh = chunk_new(size);

		if (!fresh)
			return NULL;
		fresh->next = chunk;
		arena->chunks = fresh;
		chunk = fresh;
	}
	result = chunk->data + chunk->used;
	chunk->used += size;
	arena->bytes += size;
	return memset(result, 0, size);
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
	char *copy = arena_alloc(arena, size + 1);

	if (copy && size)
		memcpy(copy, data, size);
	return copy;
}

void arena_deinit(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
	arena->bytes = 0;
}

static size_t hash(int64_t id, size_t size)
{
	return (size_t)(((uint64_t)id * 0x9e3779b97f4a7c15ULL) >> 20) & (size - 1);
}

void *idmap_get(const struct idmap *map, int64_t id)
{
	if (!map->size)
		return NULL;
	for (size_t i = hash(id, map->size);; i = (i + 1) & (map->size - 1)) {
		if (!map->slots[i].value)
			return NULL;
		if (map->slots[i].id == id)
			return map->slots[i].value;
	}
}

static void insert(struct idmap *map, int64_t id, void *value)
{
	size_t i = hash(id, map->size);

	while (map->slots[i].value && map->slots[i].id != id)
		i = (i + 1) & (map->size - 1);
	if (!map->slots[i].value)
		map->used++;
	map->slots[i].id = id;
	map->slots[i].value = value;
}

static int grow(struct idmap *map)
{
	struct idmap larger = {.size = map->size ? map->size * 2 : 64};

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->size; i++) {
		if (map->slots[i].value)
			insert(&larger, map->slots[i].id, map->slots[i].value);
	}
	free(map->slots);
	*map = larger;
	return 0;
}

int idmap_put(struct idmap *map, int64_t id, void *value)
{
	/* Never more than half full, so that a miss ends soon. */
	if (map->used * 2 >= map->size) {
		int r = grow(map);

		if (r < 0)
			return r;
	}
	insert(map, id, value);
	return 0;
}

void idmap_clear(struct idmap *map)
{
	if (map->size)
		memset(map->slots, 0, map->size * sizeof(*map->slots));
	map->used = 0;
}

void idmap_deinit(struct idmap *map)
{
	free(map->slots);
	*map = (struct idmap){0};
}
