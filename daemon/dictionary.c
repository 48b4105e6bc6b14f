/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/idset.h"
#include "daemon/table.h"

uint64_t table_seed;

struct dictionary_bucket {
	struct dictionary_hash hash[DICTIONARY_WAYS];
	int64_t id[DICTIONARY_WAYS];
};

static unsigned char secret[XXH3_SECRET_SIZE_MIN];

int dictionary_seed(void)
{
	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return -EIO;
	memcpy(&table_seed, secret, sizeof(table_seed));
	return 0;
}

struct dictionary_hash dictionary_hash(const void *bytes, size_t length)
{
	XXH128_hash_t h = XXH3_128bits_withSecret(bytes, length, secret, sizeof(secret));

	return (struct dictionary_hash){h.low64, h.high64};
}

int dictionary_init(struct dictionary *d, size_t entries)
{
	size_t count = entries / DICTIONARY_WAYS;

	*d = (struct dictionary){.mask = count - 1};
	d->buckets = calloc(count, sizeof(*d->buckets));
	return d->buckets ? 0 : -ENOMEM;
}

void dictionary_deinit(struct dictionary *d)
{
	free(d->buckets);
	d->buckets = NULL;
}

int64_t dictionary_find(struct dictionary *d, struct dictionary_hash hash)
{
	const struct dictionary_bucket *b = &d->buckets[hash.low & d->mask];

	for (int i = 0; i < DICTIONARY_WAYS; i++) {
		if (b->id[i] && b->hash[i].low == hash.low && b->hash[i].high == hash.high) {
			d->hits++;
			if (d->found)
				idset_add(d->found, b->id[i]);
			return b->id[i];
		}
	}
	d->misses++;
	return 0;
}

void dictionary_add(struct dictionary *d, struct dictionary_hash hash, int64_t id)
{
	struct dictionary_bucket *b = &d->buckets[hash.low & d->mask];

	memmove(&b->hash[1], &b->hash[0], sizeof(b->hash) - sizeof(b->hash[0]));
	memmove(&b->id[1], &b->id[0], sizeof(b->id) - sizeof(b->id[0]));
	b->hash[0] = hash;
	b->id[0] = id;
	d->filled = true;
}

void dictionary_forget(struct dictionary *d)
{
	/* Pages that were never written take no memory. */
	if (d->filled)
		memset(d->buckets, 0, (d->mask + 1) * sizeof(*d->buckets));
	d->filled = false;
}

void dictionary_forget_others(struct dictionary *d, struct idset *kept, int64_t below)
{
	for (size_t k = 0; k <= d->mask; k++) {
		struct dictionary_bucket *b = &d->buckets[k];

		for (int i = 0; i < DICTIONARY_WAYS; i++)
			if (b->id[i] && b->id[i] < below && !idset_has(kept, b->id[i]))
				b->id[i] = 0;
	}
}
