/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of rows that were seen: a bit each, in pages of those that lie together. */
#ifndef LINEAGED_CLI_SEEN_H
#define LINEAGED_CLI_SEEN_H

#include <stdbool.h>

#include "cli/arena.h"

/* Zero-initialised is empty. */
struct seen {
	struct idmap pages;
	struct arena arena;
};

bool seen_has(const struct seen *seen, int64_t id);
/* 1: it was there already; 0 or -ENOMEM. */
int seen_add(struct seen *seen, int64_t id);
void seen_deinit(struct seen *seen);

#endif
