/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When nobody recorded: what of a time of the wall clock no run of a recorder covers. What is then
 * said about it is not decided here.
 */
#ifndef LINEAGED_CLI_DOWNTIME_H
#define LINEAGED_CLI_DOWNTIME_H

#include "cli/complete.h"

/* Of the wall clock, from included, to not; UNKNOWN: unbounded. */
struct span {
	int64_t from, to;
};

struct downtime {
	struct span *item; /* in order */
	size_t count, size;
	const char
		*filter; /* of the runs that matter, the last; the query's. NULL: the whole node */
};

/* What need not be told again. */
struct downtime_told {
	const struct boot_range *gaps;
	size_t gaps_count;
	const struct span *removed; /* boots that retention forgot */
	size_t removed_count;
};

/*
 * In the time and the boots of the scope; UNKNOWN: as far as there are records. downtime_deinit()
 * also after an error.
 */
int downtime_find(struct query *query, const struct scope *scope, const struct downtime_told *told,
		  struct downtime *ret_downtime);
void downtime_deinit(struct downtime *downtime);

#endif
