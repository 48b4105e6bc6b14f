/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/leaving.h"

#include <errno.h>
#include <stdlib.h>

int leaving_init(struct leaving *l)
{
	*l = (struct leaving){.keys = calloc(LEAVING_MAX, sizeof(*l->keys))};
	return l->keys ? 0 : -ENOMEM;
}

void leaving_deinit(struct leaving *l)
{
	free(l->keys);
	*l = (struct leaving){.keys = NULL};
}

bool leaving_is_full(const struct leaving *l)
{
	return l->count == LEAVING_MAX;
}

void leaving_put(struct leaving *l, const struct lineage_key *key, uint64_t ended_boot_ns)
{
	l->keys[(l->first + l->count++) % LEAVING_MAX] = (struct leaving_key){*key, ended_boot_ns};
}

bool leaving_take(struct leaving *l, uint64_t boot_ns, size_t most, struct lineage_key *ret_key)
{
	const struct leaving_key *oldest = &l->keys[l->first];

	if (l->count == 0 || (oldest->ended_boot_ns >= boot_ns && l->count <= most))
		return false;
	*ret_key = oldest->key;
	l->first = (l->first + 1) % LEAVING_MAX;
	l->count--;
	return true;
}
