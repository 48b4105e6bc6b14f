/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of configuration keys: the only place where a key is defined. Part of config.c; others
 * use daemon/config.h.
 */
#ifndef LINEAGED_CONFIG_KEYS_H
#define LINEAGED_CONFIG_KEYS_H

#include <stddef.h>
#include <stdint.h>

enum config_type {
	CONFIG_COUNT,
	CONFIG_SIZE,
	CONFIG_TIME,
	CONFIG_BOOL,
	CONFIG_CHOICE, /* one word of `choices`, stored as its index */
	CONFIG_PATH,   /* an absolute path */
	CONFIG_LIST,   /* one text per assignment; an empty one forgets the earlier ones */
};

#define CONFIG_POWER_OF_TWO (1u << 0)
#define CONFIG_MAY_BE_EMPTY (1u << 1) /* a path: "" switches the file off */
#define CONFIG_ZERO_IS_OFF  (1u << 2) /* 0 is allowed below `min` */

struct config_key {
	const char *section;
	const char *name;
	enum config_type type;
	size_t offset; /* in struct config */
	uint64_t min, max;
	unsigned flags;
	const char *const *choices; /* ends with NULL */
	const char *initial;	    /* default, as text */
	const char *help;	    /* what it is, in one line */
	const char *reason;	    /* why the default is what it is */
};

extern const struct config_key config_keys[];
extern const size_t config_keys_count;

/* Entries of a list: each one is an entry of a BPF map that is filled at the start. */
#define CONFIG_LIST_MAX 256

/* The value as text in its canonical form; of a list, item `i`. The text is in `out` or in the
 * config. */
struct config;
const char *config_key_print(const struct config_key *key, const struct config *config, size_t i,
			     char out[32]);

/* "from 64K to 1G" for keys that hold a number, else "". */
void config_key_print_limits(const struct config_key *key, char *out, size_t size);

static inline void *config_key_place(const struct config_key *key, const struct config *config)
{
	return (char *)config + key->offset;
}

#endif
