/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `follow` has told of what is missing. The daemon lets its latest gaps grow, so that a gap is
 * told again when more was lost in it.
 */
#ifndef LINEAGED_CLI_LOSSES_H
#define LINEAGED_CLI_LOSSES_H

#include "cli/complete.h"
#include "cli/cursor.h"

struct losses {
	struct told_gap *told;
	size_t count, size;
};

/* gap_id is 0 for what is no gap. */
typedef int (*loss_fn)(const struct missing *missing, int64_t gap_id, void *userdata);

void losses_deinit(struct losses *losses);
/* What the cursor has passed is told; but a gap that goes on beyond it is told again. */
int losses_begin(struct losses *losses, struct query *query, const struct cursor *cursor);
/* Tells new gaps, and moves the cursor behind them. */
int losses_look(struct losses *losses, struct query *query, struct cursor *cursor, loss_fn fn,
		void *userdata);
/* Tells of times without a recorder, and of what retention removed, since the cursor. */
int losses_since(struct query *query, const struct cursor *cursor, int64_t now_unix_ns, loss_fn fn,
		 void *userdata);

#endif
