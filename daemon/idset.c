/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/idset.h"

#include <stdlib.h>

#include "daemon/table.h"

#define BLOCK_SHIFT 11
#define BLOCK_IDS   (1 << BLOCK_SHIFT)

struct idset_block {
	UT_hash_handle hh;
	int64_t number;
	uint64_t bits[BLOCK_IDS / 64];
};

void idset_init(struct idset *set)
{
	*set = (struct idset){0};
}

void idset_deinit(struct idset *set)
{
	struct idset_block *b, *next;

	HASH_ITER(hh, set->blocks, b, next)
	{
		HASH_DEL(set->blocks, b);
		free(b);
	}
	idset_init(set);
}

static struct idset_block *find(struct idset *set, int64_t number)
{
	struct idset_block **recent = &set->recent[number % IDSET_RECENT];
	struct idset_block *b = *recent;

	if (b && b->number == number)
		return b;
	HASH_FIND(hh, set->blocks, &number, sizeof(number), b);
	if (b)
		*recent = b;
	return b;
}

static struct idset_block *make(struct idset *set, int64_t number)
{
	struct idset_block *b;

	if (set->count >= IDSET_BLOCKS_MAX)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->number = number;
	HASH_ADD(hh, set->blocks, number, sizeof(b->number), b);
	if (!b->hh.tbl) {
		free(b);
		return NULL;
	}
	set->count++;
	return b;
}

void idset_add(struct idset *set, int64_t id)
{
	struct idset_block *b;

	if (id <= 0)
		return;
	b = find(set, id >> BLOCK_SHIFT);
	if (!b)
		b = make(set, id >> BLOCK_SHIFT);
	if (b)
		b->bits[id % BLOCK_IDS / 64] |= 1ULL << id % 64;
	else
		set->failed = true;
}

bool idset_has(struct idset *set, int64_t id)
{
	struct idset_block *b = id > 0 ? find(set, id >> BLOCK_SHIFT) : NULL;

	return b && (b->bits[id % BLOCK_IDS / 64] >> id % 64 & 1);
}

bool idset_failed(const struct idset *set)
{
	return set->failed;
}
