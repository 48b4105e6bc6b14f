/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/seen.h"

#include <errno.h>

/* 512 bytes: as many ids as a zone of process_row has, which are asked for together. */
#define PAGE_SHIFT 12
#define PAGE_MASK  ((1 << PAGE_SHIFT) - 1)

static uint64_t bit(int64_t id)
{
	return 1ULL << (id & 63);
}

bool seen_has(const struct seen *seen, int64_t id)
{
	const uint64_t *page = idmap_get(&seen->pages, id >> PAGE_SHIFT);

	return page && (page[(id & PAGE_MASK) / 64] & bit(id));
}

int seen_add(struct seen *seen, int64_t id)
{
	uint64_t *page = idmap_get(&seen->pages, id >> PAGE_SHIFT);

	if (!page) {
		page = arena_alloc(&seen->arena, (1 << PAGE_SHIFT) / 8);
		if (!page || idmap_put(&seen->pages, id >> PAGE_SHIFT, page) < 0)
			return -ENOMEM;
	}
	page += (id & PAGE_MASK) / 64;
	if (*page & bit(id))
		return 1;
	*page |= bit(id);
	return 0;
}

void seen_deinit(struct seen *seen)
{
	idmap_deinit(&seen->pages);
	arena_deinit(&seen->arena);
}
